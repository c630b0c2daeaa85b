// gRPC's messages on the wire: 5 bytes of flags and length, then the message.
import { bodyBytesMax } from "@voda/proto/wire";
import { Refusal, refuse, tooLarge, unimplemented } from "../refusal.ts";

export const prefixBytes = 5;
const compressed = 1;
const trailers = 0x80;

/** What the first five bytes already refuse. */
export function prefixProblem(prefix: Buffer): Refusal | undefined {
  const flags = prefix.readUInt8(0);
  const length = prefix.readUInt32BE(1);
  // A head that names an encoding was refused, so no encoding was named: gRPC has `internal` for that.
  if (flags === compressed)
    return new Refusal({
      code: "internal",
      reason: "bad_request",
      message: "malformed gRPC message: its flag says compressed, and no grpc-encoding was named",
    });
  if (flags !== 0) return refuse("bad_request", `malformed gRPC message: flags ${flags}`);
  return length > bodyBytesMax ? tooLarge(length) : undefined;
}

/**
 * The one message of a unary request; none, and more than one, are `unimplemented` in gRPC. @throws Refusal
 */
export function unframe(body: Buffer): Uint8Array {
  if (body.length === 0) throw unimplemented("a unary call has one message, this one has none");
  if (body.length < prefixBytes)
    throw refuse(
      "bad_request",
      `malformed gRPC message: ${body.length} bytes, its prefix has ${prefixBytes}`,
    );
  const problem = prefixProblem(body);
  if (problem !== undefined) throw problem;
  const length = body.readUInt32BE(1);
  const follow = body.length - prefixBytes;
  if (length < follow)
    throw unimplemented(
      `a unary call has one message: its prefix says ${length} bytes, ${follow - length} follow behind it`,
    );
  if (length > follow)
    throw refuse("bad_request", `malformed gRPC message: its prefix says ${length} bytes, ${follow} follow`);
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
export function trailerFrame(fields: Readonly<Record<string, string>>): Buffer {
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  return frameMessage(Buffer.from(lines.join("")), trailers);
}

export const okTrailers: Readonly<Record<string, string>> = { "grpc-status": "0" };
