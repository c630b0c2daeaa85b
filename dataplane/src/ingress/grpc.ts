// gRPC's messages on the wire: 5 bytes of flags and length, then the message.
import { bodyBytesMax } from "@voda/proto/wire";
import { type Refusal, refuse, unimplemented } from "./refusal.ts";

export const prefixBytes = 5;
const COMPRESSED = 1;
const TRAILERS = 0x80;

/** What the first five bytes already refuse. */
export function prefixProblem(prefix: Buffer): Refusal | undefined {
  const flags = prefix.readUInt8(0);
  const length = prefix.readUInt32BE(1);
  if (flags === COMPRESSED)
    return unimplemented(
      "compressed messages are not accepted: the message's flag says compressed; send identity",
    );
  if (flags !== 0) return refuse("bad_request", `malformed gRPC message: flags ${flags}`);
  return length > bodyBytesMax ? tooLarge(length) : undefined;
}

export function tooLarge(bytes: number): Refusal {
  return refuse("too_large", `body of ${bytes} bytes exceeds bodyBytesMax ${bodyBytesMax}`);
}

/** The one message of a unary request. @throws Refusal */
export function unframe(body: Buffer): Uint8Array {
  if (body.length < prefixBytes)
    throw refuse(
      "bad_request",
      `malformed gRPC message: ${body.length} bytes, its prefix has ${prefixBytes}`,
    );
  const problem = prefixProblem(body);
  if (problem !== undefined) throw problem;
  const length = body.readUInt32BE(1);
  if (length !== body.length - prefixBytes) {
    throw refuse(
      "bad_request",
      `malformed gRPC message: its prefix says ${length} bytes, ${body.length - prefixBytes} follow`,
    );
  }
  return body.subarray(prefixBytes);
}

export function frameMessage(message: Uint8Array, flags = 0): Buffer {
  const framed = Buffer.allocUnsafe(prefixBytes + message.length);
  framed.writeUInt8(flags, 0);
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, prefixBytes);
  return framed;
}

/** gRPC-Web's trailers at the end of the body. */
export function trailerFrame(trailers: Readonly<Record<string, string>>): Buffer {
  const lines = Object.entries(trailers).map(([name, value]) => `${name}: ${value}\r\n`);
  return frameMessage(Buffer.from(lines.join("")), TRAILERS);
}

export const okTrailers: Readonly<Record<string, string>> = { "grpc-status": "0" };
