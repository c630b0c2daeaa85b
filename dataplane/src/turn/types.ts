// The worker's half of an activation: what happens to it and what it wants done. The I/O thread's half is
// `lane`.

import type { AbandonReason, Send } from "../call/index.ts";

/** What happens to an activation, one at a time, in the order in which the worker learns of it. */
export type TurnEvent =
  /**
   * Nobody waits any more: a queued call is dropped; a running one is told by its signal, and discarded.
   */
  | { readonly type: "cancel"; readonly call: number; readonly why: AbandonReason }
  /**
   * The handler of a started call ended well. `delta` is ignored for a readonly one. Its overlay is not
   * applied yet.
   */
  | {
      readonly type: "succeeded";
      readonly call: number;
      readonly delta: Uint8Array;
      readonly answer: Uint8Array;
      /** 16 bytes over method and input, however they were written; of calls with an id. */
      readonly canonicalHash: Uint8Array | undefined;
      /** In their order. */
      readonly sends: readonly Send[];
    }
  /**
   * The handler threw, broke a limit, or changed state in a readonly call. `answer` is the encoded failure.
   */
  | { readonly type: "threw"; readonly call: number; readonly answer: Uint8Array }
  /** The lane wants a snapshot of what is executed now. */
  | { readonly type: "cut" }
  /** Memory is dropped: whatever runs is told to stop, and nothing is said any more. */
  | { readonly type: "close" };

/** What the worker must do, all of it before the next event. */
export type TurnEffect =
  /**
   * Run the handler: a writer on a fresh overlay, a reader on a view of the applied state that stays as it is
   * until the reader ends. Several readers may run beside one writer.
   */
  | { readonly type: "start"; readonly call: number; readonly readonly: boolean }
  /** Abort `ctx.signal` of a started call. */
  | { readonly type: "abort"; readonly call: number; readonly why: AbandonReason }
  /** Make the overlay of the writer part of the state, now, before the next effect. */
  | { readonly type: "apply"; readonly call: number }
  /** Drop the overlay; whatever the handler still does is ignored, and so is how it ends. */
  | { readonly type: "discard"; readonly call: number }
  /** Take a snapshot of the applied state, now, and send `cut {activation, after, pages}` to the lane. */
  | { readonly type: "snapshot"; readonly after: number }
  /** For the lane, in this order. */
  | { readonly type: "say"; readonly message: TurnMessage };

/** What the lane hears of an activation, in the order in which it happened (with `cut` among it). */
export type TurnMessage =
  /** A turn took place: its number is dense in the activation, from 1. */
  | {
      readonly type: "turned";
      readonly activation: number;
      readonly call: number;
      readonly turn: number;
      readonly delta: Uint8Array;
      readonly answer: Uint8Array;
      readonly canonicalHash: Uint8Array | undefined;
      readonly sends: readonly Send[];
    }
  /** A turn failed and left nothing; `after` is the last turn that it saw. */
  | {
      readonly type: "failed";
      readonly activation: number;
      readonly call: number;
      readonly after: number;
      readonly answer: Uint8Array;
    }
  /** A readonly call was answered from the state after turn `after`. */
  | {
      readonly type: "read";
      readonly activation: number;
      readonly call: number;
      readonly after: number;
      readonly answer: Uint8Array;
    }
  /** The call was dropped before its handler ended, or even began, and left nothing. */
  | {
      readonly type: "dropped";
      readonly activation: number;
      readonly call: number;
      readonly why: AbandonReason;
      readonly hasBegun: boolean;
    };
