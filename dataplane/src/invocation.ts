// What travels through a node: one call of one handler, and its answer. Every room of the data plane speaks of these.
import type { DeviceShare } from "@voda/proto/grant";
import type { SessionName, SessionToken } from "@voda/proto/session";
import { type Code, type Reason, reasons } from "@voda/proto/wire";

/** How the body of a call, and so of its answer, is written. */
export type Content = "json" | "proto";

export interface Invocation {
  readonly name: SessionName;
  readonly token: SessionToken;
  /** Name of the handler in the agent's definition. */
  readonly method: string;
  readonly readonly: boolean;
  readonly content: Content;
  /** Opaque outside the worker. Owned by the invocation: nobody writes to it any more. */
  readonly body: Uint8Array;
  /** Milliseconds since 1970; nobody waits for the answer after it. */
  readonly deadlineMs: number;
  /** 16 bytes: hash of caller and idempotency key. Absent when the caller gave none and nothing may be stored. */
  readonly id: Uint8Array | undefined;
  /** How long the answer is kept under `id`, in milliseconds. */
  readonly keepMs: number;
  /** 16 bytes: hash of method, content and body; tells a retry from another call under the same id. */
  readonly bodyHash: Uint8Array;
  /** `anonymous` until there is authentication. */
  readonly caller: string;
  readonly traceparent: string | undefined;
  /** Nodes that have passed this call on. */
  readonly hops: number;
  readonly grant: string | undefined;
  /** What a grant that was checked here gives of this node's GPUs; it does not travel. */
  readonly devices?: readonly DeviceShare[];
}

export interface Failure {
  readonly code: Code;
  /** A `Reason` of voda, or what the handler's VodaError names. */
  readonly reason: string;
  readonly message: string;
  readonly retryAfterMs?: number;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** An answer that says no. */
export interface Failed {
  readonly ok: false;
  readonly failure: Failure;
}

export type Answer = { readonly ok: true; readonly content: Content; readonly body: Uint8Array } | Failed;

export function fail(
  reason: Exclude<Reason, "user">,
  message: string,
  more: Pick<Failure, "retryAfterMs" | "metadata"> = {},
): Failed {
  return { ok: false, failure: { code: reasons[reason], reason, message, ...more } };
}
