// A call, made once where it comes into the node and never changed: what machines read stands in its head,
// the rest is opaque to them. Everybody else holds its number.
import type { DeviceShare } from "@voda/proto/grant";
import type { SessionName, SessionToken } from "@voda/proto/session";

/** How the body of a call, and so of its answer, is written. */
export type Content = "json" | "proto";

/**
 * end: delete the session. wake: load it and make the claim durable. deliver, without an id: the same, and
 * deliver all that it has sent; with the id of a message: seal it, so that it is never taken unless it was.
 */
export type CallType = "invoke" | "end" | "wake" | "deliver";

const abandonReasons = ["deadline", "caller"] as const;

/** Why nobody waits for a call any more. */
export type AbandonReason = (typeof abandonReasons)[number];

/** The reason as frames carry it, between threads and between nodes. */
export const abandonCode = (why: AbandonReason): number => abandonReasons.indexOf(why);

/** A code that a later version wrote reads as `caller`: both mean that the call's answer is not wanted. */
export const abandonReasonOf = (code: number): AbandonReason => abandonReasons[code] ?? "caller";

/** What lets a call be told from another one, so that a retry runs once. Ids are hashed with the caller. */
export type CallId =
  | {
      readonly type: "key";
      /** 16 bytes: hash of caller, session and idempotency key. */
      readonly id: Uint8Array;
      /** How long the answer is kept, in milliseconds. */
      readonly keepMs: number;
      /** 16 bytes: hash of method, content and the body's bytes. Equal ones tell the same call. */
      readonly rawHash: Uint8Array;
    }
  | {
      readonly type: "numbered";
      /** 16 bytes: hash of caller, session and the client's id. */
      readonly client: Uint8Array;
      readonly seq: number;
      /** Numbers below this one are answered and will not come again. */
      readonly lowest: number;
      readonly rawHash: Uint8Array;
    }
  | {
      readonly type: "sent";
      /** 16 bytes: the birth id of the session that sent it. */
      readonly source: Uint8Array;
      /** Numbers of one source ascend: what came under one is not taken under it or a lower one again. */
      readonly n: number;
      /** Equal for equal numbers, whose calls are the same. */
      readonly rawHash: Uint8Array;
    };

/** Of a letter: what its source is known by, and its number there. */
export type SentId = Extract<CallId, { type: "sent" }>;

/** How long a handler may run, or hold its thread. */
export interface TimeLimit {
  readonly ms: number;
  /** As whoever writes the agent knows it: `maxTurn`. */
  readonly name: string;
}

/** `reject`: it is refused, and nothing is done. */
export type OnBusy = "queue" | "reject";

/** What the machines of a node decide by. */
export interface CallHead {
  /** Given out once in the life of this process. */
  readonly number: number;
  readonly type: CallType;
  readonly readonly: boolean;
  /**
   * Monotonic milliseconds of this process: no clock of another one decides. A frame carries what remains.
   */
  readonly deadlineMs: number;
  /** Absent when nothing may be stored. */
  readonly id: CallId | undefined;
  /** Nodes that have passed this call on. */
  readonly hops: number;
  /** Its handler may have begun before: on another node, or in this lane until it was passed on. */
  readonly mayHaveBegun: boolean;
  /** Of a letter: it may have been on its way when a node ended, and be what ended it. */
  readonly isSuspect: boolean;
  /** What becomes of it while another turn of its session runs. */
  readonly onBusy: OnBusy;
  /** Of the body: queued calls count against the pipeline's bound. */
  readonly bytes: number;
}

/** One call, whole: machines decide by its head, everybody else holds its number. */
export interface Call {
  readonly head: CallHead;
  readonly name: SessionName;
  readonly token: SessionToken;
  /** Name of the handler in the agent's definition. */
  readonly method: string;
  readonly content: Content;
  /** Opaque outside the worker. Owned by the call: nobody writes to it any more. */
  readonly body: Uint8Array;
  /** `anonymous` until there is authentication. */
  readonly caller: string;
  /** W3C trace context; the handler's log lines name its trace. */
  readonly traceparent: string | undefined;
  /** `x-request-id`, which the caller gets back: what it reports, the log has too. */
  readonly requestId: string | undefined;
  /**
   * The sessions in whose turns it was made, `agent/key`, the first one first; empty of a client's call. They
   * wait for it, unless it was sent. At most `chainMax`.
   */
  readonly chain: readonly string[];
  /** The control plane's permission to open the session here; it does not travel to other nodes. */
  readonly grant: string | undefined;
  /** What a grant that was checked here gives of this node's GPUs. */
  readonly devices: readonly DeviceShare[] | undefined;
}

/** A call as a worker gets it: whose it is, its activation knows. */
export type SessionCall = Omit<Call, "name" | "token" | "grant" | "devices">;

/** Sessions that may wait for each other in a row. */
export const chainMax = 16;

/** The chain of a client's call. */
export const noChain: readonly string[] = [];

/** The caller of calls that nobody has signed. */
export const anonymous = "anonymous";

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

/** A call that is being made. Once it is handed on, as a `Call`, nobody writes to it any more. */
export type CallDraft = Writable<Omit<Call, "head">> & { readonly head: Writable<CallHead> };

/**
 * A call in which all is plain: the one list of what a call has, so that every call has the same shape and a
 * new attribute is written by those who know of it. `method` is still to be named.
 */
export function draftCall(
  { name, token, deadlineMs }: Pick<Call, "name" | "token"> & Pick<CallHead, "deadlineMs">,
  body: Uint8Array,
  number: number,
): CallDraft {
  return {
    head: {
      number,
      type: "invoke",
      readonly: false,
      deadlineMs,
      id: undefined,
      hops: 0,
      mayHaveBegun: false,
      isSuspect: false,
      onBusy: "queue",
      bytes: body.length,
    },
    name,
    token,
    method: "",
    content: "json",
    body,
    caller: anonymous,
    traceparent: undefined,
    requestId: undefined,
    chain: noChain,
    grant: undefined,
    devices: undefined,
  };
}

/** The numbers of one process: calls from clients, from other nodes and from the control plane share them. */
export function createNumbers(first = 1): () => number {
  let next = first;
  return () => next++;
}
