/** What may go wrong with a kernel; all but the last are mistakes of who wrote or called it. */
export type ComputeErrorCode =
  /** A kernel that is not well formed: a name, a number, an output. */
  | "bad_kernel"
  /** An argument that does not fit the kernel: missing, too short, not a number. */
  | "bad_argument"
  /** A thread ended in the middle of a run. */
  | "worker_lost";

/** The message names the kernel, the value, the limit and what to do. */
export class ComputeError extends Error {
  override readonly name = "ComputeError";
  readonly code: ComputeErrorCode;

  constructor(code: ComputeErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
