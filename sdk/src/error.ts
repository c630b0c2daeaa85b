// The one error of voda, in handlers and in clients.
import { type Code, isRetryable, type Reason } from "@voda/proto/wire";
import { type Duration, durationMs } from "./duration.ts";
import { refuseUnknown } from "./options.ts";

export type { Code, Reason };

/**
 * Why the client itself failed a call; nothing of voda answered.
 * - `unreachable` (`unavailable`): no connection, or it broke; `invalid_argument` where `fetch` refuses the
 *   port.
 * - `timed_out` (`deadline_exceeded`): no answer within `timeout`.
 * - `aborted` (`canceled`): the caller's `signal` fired.
 * - `bad_answer`: an answer that is not voda's, for example of a proxy.
 */
export type ClientReason = "unreachable" | "timed_out" | "aborted" | "bad_answer";

/** What a VodaError may carry besides its code and message. */
export interface VodaErrorOptions {
  /** Lower snake case. Default `user`: a handler threw it. */
  readonly reason?: Reason | ClientReason | (string & {});
  /** When the caller should try again, 0 to 1 day; makes `resource_exhausted` retryable. */
  readonly retryAfter?: Duration;
  /** Travels to the caller as the metadata of `google.rpc.ErrorInfo`. */
  readonly details?: Readonly<Record<string, string>>;
  /** Stays in this process; it never reaches the caller. */
  readonly cause?: unknown;
}

/** Found by every copy of this package: the bundle's, the node's, the client's. */
const brand = Symbol.for("voda.error");
/** The longest that a caller may be told to wait. */
export const retryAfterMsMax = 86_400_000;
const optionNames: ReadonlySet<string> = new Set(["reason", "retryAfter", "details", "cause"]);
const retryAfterRange = { minMs: 0, maxMs: retryAfterMsMax };

/**
 * An error with one of Connect's 16 codes. Thrown in a handler, it undoes the turn and reaches the caller as
 * it is, in every language; any other error becomes `internal`.
 *
 * ```ts
 * throw new VodaError("not_found", `no item ${sku}`, { details: { sku } });
 * ```
 */
export class VodaError extends Error {
  override readonly name = "VodaError";
  readonly [brand] = true;
  /** Connect's code in its wire form: `invalid_argument`. */
  readonly code: Code;
  /** Why, in lower snake case; `user` when a handler threw it without a reason of its own. */
  readonly reason: string;
  /**
   * Whether the same call under the same idempotency key may be sent again. Follows from code, reason and
   * `retryAfterMs`.
   */
  readonly retryable: boolean;
  /** How long to wait before that, in milliseconds. */
  readonly retryAfterMs: number | undefined;
  /** Facts for programs: names and values. Empty when there are none. */
  readonly details: Readonly<Record<string, string>>;

  /** @throws TypeError or RangeError for what is no message, or a bad option */
  constructor(code: Code, message: string, options: VodaErrorOptions = {}) {
    if (typeof message === "object")
      throw new TypeError("the message of a VodaError is text; other facts go into its details");
    refuseUnknown("VodaError option", options, optionNames);
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.reason = options.reason ?? "user";
    this.retryAfterMs =
      options.retryAfter === undefined
        ? undefined
        : durationMs("retryAfter", options.retryAfter, retryAfterRange);
    this.retryable = isRetryable(code, this.reason, this.retryAfterMs);
    this.details = options.details ?? {};
  }

  /**
   * The error itself when it is a VodaError; else `internal` with the same message and the error as `cause`.
   */
  static from(error: unknown): VodaError {
    if (VodaError.is(error)) return error;
    return new VodaError("internal", messageOf(error), { reason: "internal", cause: error });
  }

  /**
   * Whether it is a VodaError, also one of another copy of this package; with `code`, whether it has that
   * code.
   */
  static is(error: unknown, code?: Code): error is VodaError {
    try {
      if (typeof error !== "object" || error === null || !(brand in error)) return false;
      return code === undefined || (error as VodaError).code === code;
    } catch {
      return false; // a proxy that was revoked
    }
  }
}

/** Anything may have been thrown, also what throws when it is looked at. */
function messageOf(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message || error.name : error);
  } catch {
    return "a value that has no text";
  }
}
