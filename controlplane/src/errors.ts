// Why the control plane refuses: closed reasons of the contract; mapped to Connect's errors in `api/` only.
import { type Code, type Reason, reasons } from "@voda/proto/wire";

/**
 * A refusal of ours, with the reason that every protocol carries. Anything else that is thrown is
 * `internal`.
 */
export class ControlError extends Error {
  override readonly name = "ControlError";
  readonly code: Code;
  readonly reason: string;
  readonly retryAfterMs: number | undefined;

  /** A refusal of our own: the reason has one code. */
  static of(reason: Exclude<Reason, "user">, message: string, retryAfterMs?: number): ControlError {
    return new ControlError({ code: reasons[reason], reason, message, retryAfterMs });
  }

  constructor(failure: {
    readonly code: Code;
    readonly reason: string;
    readonly message: string;
    readonly retryAfterMs?: number | undefined;
  }) {
    super(failure.message);
    this.code = failure.code;
    this.reason = failure.reason;
    this.retryAfterMs = failure.retryAfterMs;
  }
}
