/** What may go wrong with a block of memory; all but the first two are mistakes of the caller. */
export type MemoryErrorCode =
  /** The pool may not grow any further. */
  | "out_of_memory"
  /** All block numbers are taken. */
  | "too_many_blocks"
  /** The block was given back, or this thread never held it. */
  | "stale_handle"
  /** A size that no block can have. */
  | "bad_size"
  /** A thread number that is none, or that is taken. */
  | "bad_thread";

/** The message names the value, the limit and what to do. */
export class MemoryError extends Error {
  override readonly name = "MemoryError";
  readonly code: MemoryErrorCode;

  constructor(code: MemoryErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
