// Collects the bytes of one request body within its bound.
import { bodyBytesMax } from "@voda/proto/wire";
import type { Protocol } from "./dialect.ts";
import { prefixBytes, prefixProblem, tooLarge, unframe } from "./grpc.ts";
import { type Refusal, refuse } from "./refusal.ts";

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** Bytes on the wire that a message of bodyBytesMax takes. */
function wireBytesMax(protocol: Protocol): number {
  if (protocol === "plain" || protocol === "connect") return bodyBytesMax;
  if (protocol === "grpc-web-text") return Math.ceil((bodyBytesMax + prefixBytes) / 3) * 4;
  return bodyBytesMax + prefixBytes;
}

export class Body {
  readonly #protocol: Protocol;
  readonly #bytesMax: number;
  #chunks: Buffer[] = [];
  #length = 0;
  #isPrefixRead = false;

  constructor(protocol: Protocol) {
    this.#protocol = protocol;
    this.#bytesMax = wireBytesMax(protocol);
  }

  get length(): number {
    return this.#length;
  }

  /** What a content-length already refuses. */
  announced(length: number): Refusal | undefined {
    return length > this.#bytesMax ? tooLarge(length) : undefined;
  }

  push(chunk: Buffer): Refusal | undefined {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    if (
      !this.#isPrefixRead &&
      this.#length >= prefixBytes &&
      (this.#protocol === "grpc" || this.#protocol === "grpc-web")
    ) {
      this.#isPrefixRead = true;
      const problem = prefixProblem(this.#join());
      if (problem !== undefined) return problem;
    }
    if (this.#length <= this.#bytesMax) return undefined;
    const at = `body of at least ${this.#length} bytes exceeds bodyBytesMax ${bodyBytesMax}`;
    return refuse("too_large", at);
  }

  /** The message. @throws Refusal */
  finish(): Uint8Array {
    const bytes = this.#join();
    if (this.#protocol === "plain" || this.#protocol === "connect") return bytes;
    return unframe(this.#protocol === "grpc-web-text" ? decodeBase64(bytes) : bytes);
  }

  #join(): Buffer {
    const [first, second] = this.#chunks;
    if (first === undefined) return Buffer.alloc(0);
    if (second === undefined) return first;
    const joined = Buffer.concat(this.#chunks, this.#length);
    this.#chunks = [joined];
    return joined;
  }
}

function decodeBase64(bytes: Buffer): Buffer {
  const text = bytes.toString("latin1");
  if (!BASE64.test(text) || text.length % 4 !== 0)
    throw refuse("bad_request", "malformed gRPC-Web text: the body is not base64");
  return Buffer.from(text, "base64");
}
