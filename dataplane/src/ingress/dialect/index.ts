// Which dialect a request speaks, told by its path, method and content type. Every request has one, also one
// that is refused.
import { isPlainPath, pathOf } from "@voda/proto/session-path";
import { mediaTypeOf, type RequestHead } from "../head.ts";
import { connectGet, connectJson, connectProto } from "./connect.ts";
import { type Dialect, mediaTypeProblem, methodProblem } from "./dialect.ts";
import { grpcDialects } from "./grpc.ts";
import { grpcWebDialects } from "./grpc-web.ts";
import { plain } from "./plain.ts";

export type { Dialect, HttpAnswer } from "./dialect.ts";

const byContentType: ReadonlyMap<string, Dialect> = new Map(
  [connectJson, connectProto, ...grpcDialects, ...grpcWebDialects].map((one) => [one.contentType, one]),
);

/** What speaks no known protocol is refused in JSON, which people can read. */
const otherMethod: Dialect = { ...connectJson, problem: (head) => methodProblem(head.method) };
const otherType: Dialect = {
  ...connectJson,
  problem: (head) => mediaTypeProblem(mediaTypeOf(head), [...byContentType.keys()]),
};

export function dialectOf(head: RequestHead): Dialect {
  if (isPlainPath(pathOf(head.target))) return plain;
  if (head.method === "POST") return byContentType.get(mediaTypeOf(head) ?? "") ?? otherType;
  return head.method === "GET" ? connectGet(head) : otherMethod;
}
