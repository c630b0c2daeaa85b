// Collects the bytes of one request body within its bound.
import { bodyBytesMax } from "@voda/proto/wire";
import type { Dialect } from "./dialect/index.ts";
import { type Refusal, refuse, tooLarge } from "./refusal.ts";

export class Body {
  readonly #dialect: Dialect;
  #chunks: Buffer[] = [];
  #length = 0;
  #isPrefixRead: boolean;

  constructor(dialect: Dialect) {
    this.#dialect = dialect;
    this.#isPrefixRead = dialect.prefixBytes === 0;
  }

  /** What a content-length already refuses. */
  announced(length: number): Refusal | undefined {
    return length > this.#dialect.wireBytesMax ? tooLarge(length) : undefined;
  }

  push(chunk: Buffer): Refusal | undefined {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    if (!this.#isPrefixRead && this.#length >= this.#dialect.prefixBytes) {
      this.#isPrefixRead = true;
      const problem = this.#dialect.prefixProblem(this.complete());
      if (problem !== undefined) return problem;
    }
    if (this.#length <= this.#dialect.wireBytesMax) return undefined;
    const at = `body of at least ${this.#length} bytes exceeds bodyBytesMax ${bodyBytesMax}`;
    return refuse("too_large", at);
  }

  /** All bytes in one piece. */
  complete(): Buffer {
    const [first, second] = this.#chunks;
    if (first === undefined) return Buffer.alloc(0);
    if (second === undefined) return first;
    const joined = Buffer.concat(this.#chunks, this.#length);
    this.#chunks = [joined];
    return joined;
  }
}
