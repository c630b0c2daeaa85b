// Which protocol a request speaks, told by its path and content type. Every request has one, also one that is refused.
import { isPlainPath, pathOf } from "@voda/proto/session-path";
import type { Content } from "../invocation.ts";
import { type Head, headerOf, mediaTypeOf, queryOf } from "./head.ts";
import { type Refusal, refuse, unimplemented } from "./refusal.ts";

export type Protocol = "grpc" | "grpc-web" | "grpc-web-text" | "connect" | "plain";

export interface Dialect {
  readonly protocol: Protocol;
  readonly content: Content;
  /** Content type of the answer. */
  readonly contentType: string;
}

const json: Dialect = { protocol: "connect", content: "json", contentType: "application/json" };
const plain: Dialect = { protocol: "plain", content: "json", contentType: "application/json" };

const dialects: ReadonlyMap<string, Dialect> = new Map(
  (
    [
      ["application/json", "connect", "json"],
      ["application/proto", "connect", "proto"],
      ["application/grpc", "grpc", "proto"],
      ["application/grpc+proto", "grpc", "proto"],
      ["application/grpc+json", "grpc", "json"],
      ["application/grpc-web", "grpc-web", "proto"],
      ["application/grpc-web+proto", "grpc-web", "proto"],
      ["application/grpc-web+json", "grpc-web", "json"],
      ["application/grpc-web-text", "grpc-web-text", "proto"],
      ["application/grpc-web-text+proto", "grpc-web-text", "proto"],
    ] as const
  ).map(([contentType, protocol, content]) => [contentType, { protocol, content, contentType }]),
);

export interface Spoken {
  readonly dialect: Dialect;
  readonly problem: Refusal | undefined;
}

export function dialectOf(head: Head): Spoken {
  if (isPlainPath(pathOf(head.target))) return { dialect: plain, problem: plainProblem(head) };
  if (head.method === "GET") return getDialect(head);
  if (head.method !== "POST") return { dialect: json, problem: methodProblem(head.method) };
  const type = mediaTypeOf(head);
  const dialect = type === undefined ? undefined : dialects.get(type);
  if (dialect === undefined) return { dialect: json, problem: mediaTypeProblem(type, [...dialects.keys()]) };
  return { dialect, problem: rpcProblem(head, dialect) };
}

/** A form of a foreign page can post without asking, but not as JSON: so a body, or a type, must be JSON. */
function plainProblem(head: Head): Refusal | undefined {
  if (head.method !== "POST") return methodProblem(head.method);
  const type = mediaTypeOf(head);
  const hasBody =
    headerOf(head, "transfer-encoding") !== undefined || (headerOf(head, "content-length") ?? "0") !== "0";
  if (type === undefined ? hasBody : type !== "application/json")
    return mediaTypeProblem(type, ["application/json"]);
  return compressionProblem(head, "content-encoding");
}

/** Connect GET: the message is in the query. */
function getDialect(head: Head): Spoken {
  const query = queryOf(head);
  const encoding = query.get("encoding");
  const compression = query.get("compression") ?? "identity";
  if (query.get("connect") !== "v1") return { dialect: json, problem: methodProblem("GET") };
  if (encoding === "proto") {
    const dialect: Dialect = { protocol: "connect", content: "proto", contentType: "application/proto" };
    return { dialect, problem: compression === "identity" ? undefined : compressed(compression) };
  }
  if (encoding !== "json")
    return { dialect: json, problem: mediaTypeProblem(`encoding=${encoding}`, ["json", "proto"]) };
  return { dialect: json, problem: compression === "identity" ? undefined : compressed(compression) };
}

function rpcProblem(head: Head, dialect: Dialect): Refusal | undefined {
  if (dialect.protocol !== "connect") {
    if (dialect.protocol === "grpc" && head.http === 1)
      return unimplemented("gRPC needs HTTP/2; over HTTP/1.1 use gRPC-Web or Connect");
    return compressionProblem(head, "grpc-encoding");
  }
  const version = headerOf(head, "connect-protocol-version");
  if (version !== undefined && version !== "1")
    return refuse("bad_request", `connect-protocol-version ${version}; this is 1`);
  return compressionProblem(head, "content-encoding");
}

function methodProblem(method: string): Refusal {
  return unimplemented(`HTTP method ${method} is not for this path; POST is`, 405);
}

function mediaTypeProblem(type: string | undefined, known: readonly string[]): Refusal {
  const what = type === undefined ? "a body without content-type" : `content-type ${type.slice(0, 100)}`;
  return refuse("bad_request", `${what} is refused; send ${known.join(", ")}`, 415);
}

function compressionProblem(head: Head, name: string): Refusal | undefined {
  const value = headerOf(head, name) ?? "identity";
  return value === "identity" ? undefined : compressed(value);
}

function compressed(encoding: string): Refusal {
  return unimplemented(
    `compressed requests are not accepted: encoding ${encoding.slice(0, 40)}; send identity`,
  );
}
