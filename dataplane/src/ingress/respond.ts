// An answer in the caller's protocol.
import { errorJson, errorTrailers, httpStatus, retryHeader } from "@voda/proto/error-body";
import { headers } from "@voda/proto/wire";
import type { Answer, Failure } from "../invocation.ts";
import type { Dialect } from "./dialect.ts";
import { frameMessage, okTrailers, trailerFrame } from "./grpc.ts";

export interface Response {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array;
  /** gRPC's, after the body. */
  readonly trailers?: Readonly<Record<string, string>>;
}

const NOTHING = new Uint8Array(0);

/** `status` replaces the one of the failure's code where the protocol speaks through HTTP statuses. */
export function respond(dialect: Dialect, answer: Answer, status?: number): Response {
  if (dialect.protocol === "grpc") return grpcResponse(dialect, answer);
  if (dialect.protocol === "grpc-web" || dialect.protocol === "grpc-web-text")
    return grpcWebResponse(dialect, answer);
  if (!answer.ok) return errorResponse(answer.failure, status);
  const type =
    answer.body.length === 0 && dialect.content === "json" ? {} : { "content-type": dialect.contentType };
  return { status: 200, headers: type, body: answer.body };
}

function errorResponse(failure: Failure, status = httpStatus[failure.code]): Response {
  const allow = status === 405 ? { allow: "POST" } : {};
  const body = Buffer.from(errorJson(failure));
  return { status, headers: { "content-type": "application/json", ...retryHeader(failure), ...allow }, body };
}

function grpcResponse({ contentType }: Dialect, answer: Answer): Response {
  const head = { "content-type": contentType, "grpc-accept-encoding": "identity" };
  if (answer.ok) return { status: 200, headers: head, body: frameMessage(answer.body), trailers: okTrailers };
  return { status: 200, headers: { ...head, ...errorTrailers(answer.failure) }, body: NOTHING };
}

function grpcWebResponse({ protocol, contentType }: Dialect, answer: Answer): Response {
  const body = answer.ok
    ? Buffer.concat([frameMessage(answer.body), trailerFrame(okTrailers)])
    : trailerFrame(errorTrailers(answer.failure));
  const wire = protocol === "grpc-web-text" ? Buffer.from(body.toString("base64")) : body;
  return { status: 200, headers: { "content-type": contentType }, body: wire };
}

export interface Extras {
  readonly requestId: string | undefined;
  readonly hint: string | undefined;
  readonly token: string | undefined;
  readonly cookie: string | undefined;
}

export function addExtras(response: Response, extras: Extras): void {
  const into = response.headers;
  if (extras.requestId !== undefined) into[headers.requestId] = extras.requestId;
  if (extras.hint !== undefined) into[headers.host] = extras.hint;
  if (extras.token !== undefined) into[headers.token] = extras.token;
  if (extras.cookie !== undefined) into["set-cookie"] = extras.cookie;
}
