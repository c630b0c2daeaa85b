// Collects the bytes of one request body within its bound. A chunk costs a hundred bytes and more beside what
// is in it, so from the second one on they are copied together: a body of many small chunks costs what it
// holds.
import type { Dialect } from "./dialect/index.ts";
import { growsTooLarge, type Refusal, tooLarge } from "./refusal.ts";

export class Body {
  readonly #dialect: Dialect;
  /** Its first `#length` bytes are the body; the only chunk itself while there is one. */
  #bytes: Buffer = Buffer.alloc(0);
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
    this.#add(chunk);
    if (!this.#isPrefixRead && this.#length >= this.#dialect.prefixBytes) {
      this.#isPrefixRead = true;
      const problem = this.#dialect.prefixProblem(this.complete());
      if (problem !== undefined) return problem;
    }
    if (this.#length <= this.#dialect.wireBytesMax) return undefined;
    return growsTooLarge(this.#length);
  }

  /** All bytes in one piece. */
  complete(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Doubles the room when it is too small: each byte is copied twice at most. */
  #add(chunk: Buffer): void {
    const length = this.#length + chunk.length;
    if (this.#length === 0) this.#bytes = chunk;
    else {
      if (length > this.#bytes.length) {
        const bytes = Buffer.allocUnsafeSlow(Math.max(length, 2 * this.#bytes.length));
        this.complete().copy(bytes);
        this.#bytes = bytes;
      }
      chunk.copy(this.#bytes, this.#length);
    }
    this.#length = length;
  }
}
