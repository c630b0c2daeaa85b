// gRPC's messages on the wire: 5 bytes of flags and length, then the message; and how its trailers say an error.
import { base64Encode } from "@bufbuild/protobuf/wire";
import { grpcCodes } from "@voda/proto/errors";
import { bodyBytesMax } from "@voda/proto/wire";
import type { Failure } from "../invocation.ts";
import { trailerDetailsBytesMax, trailerMessageBytesMax } from "./limits.ts";
import { type Refusal, refuse, unimplemented } from "./refusal.ts";
import { statusBytes } from "./status.ts";

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

/** Long messages are cut and large metadata is left out: clients drop trailers beyond their header limit. */
export function errorTrailers(failure: Failure): Record<string, string> {
  const message = cut(failure.message, trailerMessageBytesMax);
  let details = statusBytes({ ...failure, message });
  if (details.length > trailerDetailsBytesMax) details = statusBytes({ ...failure, message, metadata: {} });
  return {
    "grpc-status": String(grpcCodes[failure.code]),
    "grpc-message": encodeMessage(message),
    "grpc-status-details-bin": base64Encode(details, "std_raw"),
  };
}

function cut(text: string, bytesMax: number): string {
  const bytes = Buffer.from(text);
  return bytes.length <= bytesMax ? text : bytes.toString("utf8", 0, bytesMax).replace(/\ufffd$/, "");
}

/** Percent-encodes all but printable ASCII, and the percent sign. */
export function encodeMessage(message: string): string {
  if (/^[\x20-\x24\x26-\x7e]*$/.test(message)) return message;
  let encoded = "";
  for (const byte of Buffer.from(message)) {
    const isPlain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    encoded += isPlain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return encoded;
}
