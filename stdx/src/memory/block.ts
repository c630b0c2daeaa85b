// Blocks whose end is written in the code that begins them: `using` for one scope, a loan for one call.
import type { Handle } from "./handle.ts";
import type { Holder } from "./holder.ts";
import type { MemoryPool } from "./pool.ts";

/** A hold on one block that ends with the scope: `using block = borrow(pool, 4096)`. */
export class Block implements Disposable {
  readonly handle: Handle;
  readonly #holder: Holder;

  /** Takes over one hold of `handle`. */
  constructor(holder: Holder, handle: Handle) {
    this.#holder = holder;
    this.handle = handle;
  }

  /** @throws MemoryError `stale_handle` after the scope */
  get f32(): Float32Array {
    return this.#holder.f32(this.handle);
  }

  /** @throws MemoryError `stale_handle` after the scope */
  get i32(): Int32Array {
    return this.#holder.i32(this.handle);
  }

  /** @throws MemoryError `stale_handle` after the scope */
  get u8(): Uint8Array {
    return this.#holder.u8(this.handle);
  }

  /** @throws MemoryError `stale_handle` when it was released before: a double free is never silent */
  [Symbol.dispose](): void {
    this.#holder.release(this.handle);
  }
}

/** A new block for the scope that `using` stands in. @throws MemoryError as `MemoryPool.alloc` */
export function borrow(pool: MemoryPool, bytes: number): Block {
  return new Block(pool.holder, pool.alloc(bytes));
}

declare const region: unique symbol;

/**
 * A block inside `withLoan`. `R` is another type in each call, so that a loan that leaves its call does not
 * compile.
 */
export interface Loan<in out R> {
  readonly [region]: (r: R) => R;
  readonly f32: Float32Array;
  readonly i32: Int32Array;
  readonly u8: Uint8Array;
}

/**
 * Runs `use` with a new block and releases it, however `use` ends. What it returns may not contain the
 * loan: the compiler refuses that. A view taken out of it compiles, and reads whatever the next holder
 * writes.
 * @throws MemoryError as `MemoryPool.alloc`, and what `use` throws
 */
export function withLoan<O>(pool: MemoryPool, bytes: number, use: <R>(loan: Loan<R>) => O): O {
  using block = borrow(pool, bytes);
  return use(loanOf(block));
}

/** A loan is the block itself under a type that has no way to release it. */
function loanOf<R>(block: Block): Loan<R> {
  const loan: Omit<Loan<R>, typeof region> = block;
  return loan as Loan<R>;
}
