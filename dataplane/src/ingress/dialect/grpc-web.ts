// gRPC-Web over either version of HTTP: trailers are a last frame of the body, and all of it may be base64.
// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md
import { errorTrailers } from "@voda/proto/error-body";
import type { Content } from "../../call/index.ts";
import { headerOf } from "../head.ts";
import { refuse } from "../refusal.ts";
import { compressionProblem, type Dialect, type HttpAnswer } from "./dialect.ts";
import { framed } from "./grpc.ts";
import { frameMessage, okTrailers, trailerFrame, unframe } from "./message.ts";

const base64 = /^[A-Za-z0-9+/]*={0,2}$/;

function grpcWeb(content: Content, contentType: string): Dialect {
  const answered = (body: Uint8Array): HttpAnswer => ({
    status: 200,
    headers: { "content-type": contentType },
    body,
  });
  return {
    ...framed,
    content,
    contentType,
    problem: (head) => compressionProblem(headerOf(head, "grpc-encoding")),
    answer: (message) => answered(Buffer.concat([frameMessage(message), trailerFrame(okTrailers)])),
    refusal: (failure) => answered(trailerFrame(errorTrailers(failure))),
  };
}

/** The same as text. Its prefix is known when all of it is decoded. */
function grpcWebText(content: Content, contentType: string): Dialect {
  const binary = grpcWeb(content, contentType);
  const asText = ({ body, ...rest }: HttpAnswer): HttpAnswer => ({
    ...rest,
    body: Buffer.from(Buffer.from(body).toString("base64")),
  });
  return {
    ...binary,
    wireBytesMax: Math.ceil(binary.wireBytesMax / 3) * 4,
    prefixBytes: 0,
    prefixProblem: () => undefined,
    message: (body) => unframe(decodeBase64(body)),
    answer: (message) => asText(binary.answer(message)),
    refusal: (failure, status) => asText(binary.refusal(failure, status)),
  };
}

function decodeBase64(bytes: Buffer): Buffer {
  const text = bytes.toString("latin1");
  if (!base64.test(text) || text.length % 4 !== 0)
    throw refuse("bad_request", "malformed gRPC-Web text: the body is not base64");
  return Buffer.from(text, "base64");
}

export const grpcWebDialects: readonly Dialect[] = [
  grpcWeb("proto", "application/grpc-web"),
  grpcWeb("proto", "application/grpc-web+proto"),
  grpcWeb("json", "application/grpc-web+json"),
  grpcWebText("proto", "application/grpc-web-text"),
  grpcWebText("proto", "application/grpc-web-text+proto"),
];
