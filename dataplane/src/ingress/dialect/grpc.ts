// gRPC over HTTP/2: framed messages, and trailers that say how it went.
// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
import { errorTrailers } from "@voda/proto/error-body";
import { bodyBytesMax } from "@voda/proto/wire";
import type { Content } from "../../call/index.ts";
import { headerOf } from "../head.ts";
import { unimplemented } from "../refusal.ts";
import { compressionProblem, type Dialect } from "./dialect.ts";
import { frameMessage, okTrailers, prefixBytes, prefixProblem, unframe } from "./message.ts";
import { grpcTimeoutMs } from "./timeout.ts";

const nothing = new Uint8Array(0);

/** A body of framed messages. */
export const framed = {
  wireBytesMax: bodyBytesMax + prefixBytes,
  prefixBytes,
  timeoutMs: grpcTimeoutMs,
  prefixProblem,
  message: unframe,
} as const;

function grpc(content: Content, contentType: string): Dialect {
  const head = { "content-type": contentType, "grpc-accept-encoding": "identity" };
  return {
    ...framed,
    content,
    contentType,
    problem(request) {
      if (request.http === 1)
        return unimplemented("gRPC needs HTTP/2; over HTTP/1.1 use gRPC-Web or Connect");
      return compressionProblem(headerOf(request, "grpc-encoding"));
    },
    answer: (message) => ({
      status: 200,
      headers: { ...head },
      body: frameMessage(message),
      trailers: okTrailers,
    }),
    // Without a message the trailers may be the headers.
    refusal: (failure) => ({ status: 200, headers: { ...head, ...errorTrailers(failure) }, body: nothing }),
  };
}

export const grpcDialects: readonly Dialect[] = [
  grpc("proto", "application/grpc"),
  grpc("proto", "application/grpc+proto"),
  grpc("json", "application/grpc+json"),
];
