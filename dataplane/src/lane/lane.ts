// The memory of a lane: plain objects that only `step` writes.
import type { SessionName } from "@voda/proto/session";
import type { Crc32 } from "@voda/state";
import { foldBytesMax, foldRecordsMax, inlineBytesMax } from "./constants.ts";
import type { Dedupe } from "./dedupe.ts";
import type { LaneRecord, PageEntry, RecordId, RetiredPages, TrimMark } from "./record.ts";
import type { Base } from "./replay.ts";
import type { Action, Call, Incarnation, LaneEffect, Page, World } from "./types.ts";

export interface LaneOptions {
  readonly name: SessionName;
  readonly crc32: Crc32;
  /** `trimDelayMs` where the store may lose its unsynced tail, else 0. */
  readonly trimDelayMs: number;
  /** Whether the connection to the store is up. */
  readonly connected: boolean;
  /** For the simulator only: small bounds are met in a short run. */
  readonly bounds?: Bounds;
}

export interface Bounds {
  readonly foldRecordsMax: number;
  readonly foldBytesMax: number;
  readonly inlineBytesMax: number;
}

/** One execution of a call, and everybody who waits for it: calls with the same id share it. */
export interface Work {
  readonly key: string | undefined;
  /** Under this call it is at the worker. */
  job: Call;
  waiters: Call[];
  /** Waiters whose callers went away. */
  gone: Set<number> | undefined;
  stage: "queued" | "running" | "executed";
  /** Counted against the pipeline. */
  bytes: number;
}

/** A turn that took place in memory. */
export interface Turned {
  readonly turn: number;
  readonly work: Work;
  readonly delta: Uint8Array;
  readonly answer: Uint8Array;
}

/** An answer that waits in the gate until everything that it has seen is accepted. */
export interface Output {
  readonly work: Work;
  readonly after: number;
  readonly answer: Uint8Array;
}

/** An append without outcome. */
export interface Flight {
  readonly token: number;
  readonly record: LaneRecord;
  readonly bytes: Uint8Array;
  readonly turns: readonly Turned[];
  readonly startedAtMs: number;
  /** When it is sent again. */
  dueAtMs: number;
  backoffMs: number;
  /** Its first answer was no, or did not come. */
  settling: boolean;
  readonly trim: TrimPlan | undefined;
}

/** What goes once a fold is accepted. */
export interface TrimPlan {
  readonly below: number | undefined;
  readonly pages: RetiredPages[];
}

/** A look at the lane in the store: what became of an append, or whether our last record is still there. */
export interface Look {
  readonly token: number;
  readonly stage: "last" | "range";
  readonly why: "settle" | "verify";
}

export type Fold =
  | { readonly stage: "none" }
  | { readonly stage: "asked" }
  | { readonly stage: "cut"; readonly cut: Cut; readonly retryAtMs: number }
  | {
      readonly stage: "writing";
      readonly cut: Cut;
      readonly token: number;
      readonly table: readonly PageEntry[];
    }
  | { readonly stage: "ready"; readonly cut: Cut; readonly table: readonly PageEntry[] };

export interface Cut {
  readonly after: number;
  readonly pages: readonly Page[];
  /** Where the record with turn `after` lies, once it is accepted. */
  covers: { readonly seq: number; readonly rid: RecordId } | undefined;
}

export interface FoldMark {
  readonly seq: number;
  readonly covers: number;
  readonly wallMs: number;
}

/** The session in memory. */
export interface Activation {
  readonly number: number;
  /** Under which it holds or owns. */
  incarnation: Incarnation;
  /** held: no record of ours is the last one. released: a fold with release is sent, and so nothing is owned any more. */
  claim: "held" | "owner" | "released";
  /** A bare claim must go out: something waits that may not happen on two nodes. */
  wantsClaim: boolean;
  epoch: number;
  readonly uid: Uint8Array;
  /** The first record of this life is not accepted yet. */
  born: boolean;
  /** Last sequence of the lane and its record; and the last record that links. */
  expect: number;
  tip: RecordId;
  prev: RecordId;
  n: number;
  from: number;
  /** The tip was seen on this connection. */
  verified: boolean;
  lookAgainAtMs: number;
  look: Look | undefined;
  /** At the worker, or executed and not answered, by call, in order. */
  readonly jobs: Map<number, Work>;
  executed: number;
  accepted: number;
  pending: Turned[];
  gate: Output[];
  flight: Flight | undefined;
  readonly dedupe: Dedupe;
  fold: Fold;
  lastFold: FoldMark | undefined;
  table: readonly PageEntry[];
  nextPage: number;
  trim: TrimMark | undefined;
  retired: readonly RetiredPages[];
  tailRecords: number;
  tailBytes: number;
  closing: "sleep" | "end" | undefined;
  /** Who waits for its end, or for the claim. */
  orders: Control[];
}

export interface Control {
  readonly action: Action;
  readonly call: Call;
}

export type Waking =
  | { readonly stage: "last"; readonly token: number; readonly attempts: number }
  | { readonly stage: "range"; readonly token: number; readonly attempts: number; readonly atLeast: number }
  | { readonly stage: "pages"; readonly token: number; readonly attempts: number; readonly base: Base }
  /** The store, or the owner, does not answer. */
  | { readonly stage: "pause"; readonly attempts: number; readonly untilMs: number };

export interface Lane {
  readonly name: SessionName;
  readonly crc32: Crc32;
  readonly trimDelayMs: number;
  readonly bounds: Bounds;
  connected: boolean;
  /** Work that no worker has. */
  queue: Work[];
  controls: Control[];
  /** Waiters by call. */
  readonly calls: Map<number, Work>;
  /** Queued or executing work by id. */
  readonly running: Map<string, Work>;
  workCount: number;
  workBytes: number;
  waking: Waking | undefined;
  activation: Activation | undefined;
  /** A successor that did not answer: its predecessor's lease has ended, so nothing stands against a claim. */
  unreachable: Incarnation | undefined;
  /** Time for which the timer `append` is armed. */
  appendTimerMs: number;
}

/** One step at work: the lane, the node at this instant, and what is to be done. */
export interface Step {
  readonly lane: Lane;
  readonly world: World;
  readonly out: LaneEffect[];
}

export function openLane(options: LaneOptions): Lane {
  return {
    name: options.name,
    crc32: options.crc32,
    trimDelayMs: options.trimDelayMs,
    bounds: options.bounds ?? { foldRecordsMax, foldBytesMax, inlineBytesMax },
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
    appendTimerMs: Number.POSITIVE_INFINITY,
  };
}

/** Nothing is in memory and nobody waits: the object may be thrown away. */
export function isIdle(lane: Lane): boolean {
  return (
    lane.activation === undefined &&
    lane.waking === undefined &&
    lane.queue.length === 0 &&
    lane.controls.length === 0
  );
}

/** The state's name in PROTOCOL.md 4. */
export type Phase = "cold" | "waking" | "held" | "owner" | "settling" | "releasing" | "verifying";

export function phaseOf(lane: Lane): Phase {
  const activation = lane.activation;
  if (activation === undefined) return lane.waking === undefined ? "cold" : "waking";
  if (!activation.verified) return "verifying";
  if (activation.claim === "released") return "releasing";
  if (activation.flight?.settling) return "settling";
  return activation.claim;
}
