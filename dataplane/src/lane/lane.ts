// The memory of a lane: plain objects that only a pass writes.
import type { Mark } from "@voda/proto/mark";
import type { SessionName } from "@voda/proto/session";
import type { Crc32 } from "@voda/state";
import type { CallHead } from "../call/index.ts";
import type { Append } from "./append.ts";
import type { Asks } from "./asks.ts";
import { timerSoonMs } from "./constants.ts";
import type { Dedupe } from "./dedupe.ts";
import type { Fold, FoldBounds } from "./fold.ts";
import type { Journals } from "./journals.ts";
import type { Orders } from "./orders.ts";
import type { Outbox, Owed } from "./outbox.ts";
import type { Base, DecodedRecord } from "./replay.ts";
import type { Seen } from "./seen.ts";
import type { Suspects } from "./suspects.ts";
import { firstDueMs, type Timers } from "./timers.ts";
import type { Tip } from "./tip.ts";
import type { Trail } from "./trail.ts";
import type { Known } from "./trail-read.ts";
import type { Turns } from "./turns.ts";
import type { Incarnation, LaneEffect, LaneEvent, World } from "./types.ts";
import type { Verification } from "./verification.ts";
import type { Hash, RecordId } from "./words.ts";
import type { Work } from "./work.ts";

/** What a lane is opened with; all of it stays for its life but `connected`. */
export interface LaneOptions {
  readonly name: SessionName;
  readonly crc32: Crc32;
  /** 16 bytes that tell any two records apart. */
  readonly hash: Hash;
  /** Whether the connection to the store is up. */
  readonly connected: boolean;
  /** Follows from what the store costs and may lose: `foldBoundsOf` knows it for ours. */
  readonly folds: FoldBounds;
}

/**
 * The session in memory, in slices: each is written by the file that owns its type, and read by everybody.
 */
export interface Activation {
  readonly number: number;
  readonly tip: Tip;
  readonly turns: Turns;
  readonly append: Append;
  readonly fold: Fold;
  readonly verification: Verification;
  readonly orders: Orders;
  readonly dedupe: Dedupe;
  readonly asks: Asks;
  readonly outbox: Outbox;
  readonly seen: Seen;
  readonly timers: Timers;
  readonly journals: Journals;
  readonly suspects: Suspects;
  readonly trail: Trail;
}

/** What a slice has to say to a pass. */
export interface Slice {
  /** Does what is possible now. */
  advance?(pass: Pass, activation: Activation): void;
  /** A reply of the store; false when it was not asked for by this slice. */
  replied?(pass: Pass, activation: Activation, event: StoreReply): boolean;
  /** The connection to the store is lost. */
  disconnected?(activation: Activation, world: World): void;
}

/** Replies name the effect that asked by its `token`. */
export type StoreReply = Extract<LaneEvent, { token: number }>;

/** How far a wake is. */
export type Waking =
  | { readonly stage: "last"; readonly token: number; readonly attempts: number }
  | {
      readonly stage: "range";
      readonly token: number;
      readonly attempts: number;
      readonly atLeast: number;
      readonly mark: Mark | undefined;
      /** The store says that the lane is empty, though it has records: it cannot read the last one. */
      readonly isLastHidden: boolean;
    }
  | {
      readonly stage: "trail";
      readonly token: number;
      readonly attempts: number;
      readonly mark: Mark | undefined;
      readonly last: DecodedRecord;
      readonly known: Known;
    }
  | { readonly stage: "pages"; readonly token: number; readonly attempts: number; readonly base: Base }
  /** `arrived`: the calls that were there when this began. */
  | {
      readonly stage: "traces";
      readonly token: number;
      readonly attempts: number;
      readonly mark: Mark | undefined;
      readonly arrived: ReadonlySet<number>;
    }
  /** The store, or the owner, does not answer. */
  | { readonly stage: "pause"; readonly attempts: number; readonly untilMs: number };

/**
 * All that one session has on the I/O thread. A lane without activation and without callers costs nothing:
 * the host throws it away (`isIdle`).
 */
export interface Lane {
  readonly name: SessionName;
  readonly crc32: Crc32;
  readonly hash: Hash;
  readonly folds: FoldBounds;
  connected: boolean;
  /** Work that no worker has. */
  queue: Work[];
  controls: CallHead[];
  /** Waiters by call. */
  readonly calls: Map<number, Work>;
  /** Queued or executing work by id. */
  readonly running: Map<string, Work>;
  workCount: number;
  workBytes: number;
  waking: Waking | undefined;
  activation: Activation | undefined;
  /**
   * A successor that did not answer: its predecessor's lease has ended, so nothing stands against a claim.
   */
  unreachable: Incarnation | undefined;
  /**
   * Our last record, when memory was dropped because the store rejected the next one: until then the session
   * was ours, and reads of it need no claim, which a full store would reject too. It is let go when the
   * session has been idle.
   */
  keptTip: { readonly incarnation: Incarnation; readonly rid: RecordId } | undefined;
  /** What is known of letters whose memory was dropped, until the session is in memory again. */
  owed: Owed | undefined;
  /** Time for which the timer `append` is armed. */
  appendTimerMs: number;
}

/** One pass at work: the lane, the node at this instant, and what is to be done. */
export interface Pass {
  readonly lane: Lane;
  readonly world: World;
  readonly out: LaneEffect[];
}

export function openLane(options: LaneOptions): Lane {
  return {
    name: options.name,
    crc32: options.crc32,
    hash: options.hash,
    folds: options.folds,
    connected: options.connected,
    queue: [],
    controls: [],
    calls: new Map(),
    running: new Map(),
    workCount: 0,
    workBytes: 0,
    waking: undefined,
    activation: undefined,
    unreachable: undefined,
    keptTip: undefined,
    owed: undefined,
    appendTimerMs: Number.POSITIVE_INFINITY,
  };
}

/** Nothing is in memory or kept, and nobody waits: the object may be thrown away. */
export function isIdle(lane: Lane): boolean {
  return (
    lane.activation === undefined &&
    lane.keptTip === undefined &&
    lane.owed === undefined &&
    lane.waking === undefined &&
    lane.queue.length === 0 &&
    lane.controls.length === 0
  );
}

/** Whether something that the session has sent is not over, or waits until it is due. */
export const hasLetters = ({ activation }: Lane): boolean =>
  activation !== undefined && activation.outbox.letters.size + activation.timers.table.size > 0;

/** Whether the session has something to do without a call, now or soon: it would be woken for it. */
export function isDueSoon({ activation }: Lane, storeMs: number): boolean {
  if (activation === undefined) return false;
  const { outbox, timers } = activation;
  return outbox.letters.size > 0 || firstDueMs(timers, outbox) <= storeMs + timerSoonMs;
}

/** Nothing runs, waits or is on its way. */
export function isQuiet({ turns, append, journals }: Activation): boolean {
  const isNothingLeft = turns.jobs.size === 0 && turns.pending.length === 0 && journals.pending.length === 0;
  return isNothingLeft && append.flight === undefined;
}

/** Arms the timer unless it rings early enough: one that rings early does no harm. */
export function armAppend({ lane, out }: Pass, atMs: number): void {
  if (lane.appendTimerMs <= atMs) return;
  lane.appendTimerMs = atMs;
  out.push({ type: "timer", timer: "append", atMs });
}
