// The HTTP answers of the picker to Envoy's ext_authz: 200 lets the request pass, 429 is passed on to the
// client.
import { errorJson, errorTrailers, httpStatus, retryHeader } from "@voda/proto/error-body";
import { headers as names } from "@voda/proto/wire";
import { unreachable } from "@voda/stdx";
import { type CallerRefusal, callerRefusal, type Picked } from "../scheduler/index.ts";

/** What Envoy gets. Of the headers it passes on those that the listener allows. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const code = "resource_exhausted";

/**
 * Passes without an owner: Envoy hashes, and the node that gets the request says what is wrong in its
 * protocol.
 */
export const passed: HttpAnswer = { status: 200, headers: {}, body: "" };

/** The content type of the request tells the protocol of the caller. */
export function answerOf(picked: Picked, contentType: string): HttpAnswer {
  switch (picked.type) {
    case "owner":
      return { status: 200, headers: { owner: picked.node.ingress }, body: "" };
    case "placed":
      return { status: 200, headers: { owner: picked.node.ingress, [names.grant]: picked.grant }, body: "" };
    case "unknown_agent":
      return passed;
    case "refusal":
      return denied(callerRefusal(picked, picked.retryMs), contentType);
    default:
      return unreachable(picked);
  }
}

/** Without a node Envoy says so itself; and one that only Envoy knows yet may take the call. */
function denied(refusal: CallerRefusal, contentType: string): HttpAnswer {
  return refusal.reason === "closed" ? passed : refused(refusal, contentType);
}

/**
 * `resource_exhausted` for every protocol: Connect and plain callers read the JSON body; gRPC and gRPC-Web
 * read the `grpc-` headers, and Envoy, which turns a denial into gRPC trailers, keeps a `grpc-status` that is
 * there and takes the body for the message.
 */
function refused(refusal: CallerRefusal, contentType: string): HttpAnswer {
  const isGrpc = contentType.startsWith("application/grpc");
  const error = { code, ...refusal } as const;
  const headers = {
    ...retryHeader(error),
    "content-type": isGrpc ? "text/plain" : "application/json",
    ...(isGrpc && errorTrailers(error)),
  };
  return { status: httpStatus[code], headers, body: isGrpc ? refusal.message : errorJson(error) };
}
