// One session on this node: its lane, and what the host keeps beside it.
import { hash } from "node:crypto";
import type { SessionName, SessionToken } from "@voda/proto/session";
import { openLane, type Lane, type LaneTimer } from "../lane/index.ts";
import type { WorkerHandle } from "./workers.ts";

export interface Hosted {
  readonly token: SessionToken;
  readonly name: SessionName;
  readonly lane: Lane;
  /** Where its activation runs, while there is one. */
  worker: WorkerHandle | undefined;
  activation: number;
  /** Of the durable claim; 0 while there is none. */
  epoch: number;
  /** Pages of a snapshot that is on its way from the worker. */
  cutPages: Uint8Array[];
  /** Calls that the lane has not answered. */
  calls: number;
  /** Monotonic time of the last call's arrival or answer. */
  usedMs: number;
  /** Monotonic time at which each timer is due. */
  readonly timers: Map<LaneTimer, number>;
  /** Commands that wait for the session to be in memory with a durable claim, or out of memory. */
  readonly waiting: { readonly for: "owned" | "cold"; readonly done: () => void }[];
}

export function host(token: SessionToken, name: SessionName, nowMs: number): Hosted {
  return {
    token,
    name,
    lane: openLane(name),
    worker: undefined,
    activation: 0,
    epoch: 0,
    cutPages: [],
    calls: 0,
    usedMs: nowMs,
    timers: new Map(),
    waiting: [],
  };
}

export function settle(hosted: Hosted, what: "owned" | "cold"): void {
  for (let i = hosted.waiting.length - 1; i >= 0; i -= 1) {
    if (hosted.waiting[i]?.for !== what) continue;
    for (const waiter of hosted.waiting.splice(i, 1)) waiter.done();
  }
}

const PAGE_HASH_BYTES = 16;

/** Tells whether a page is the one that an earlier fold wrote. */
export function pageHash(bytes: Uint8Array): Uint8Array {
  return hash("sha256", bytes, "buffer").subarray(0, PAGE_HASH_BYTES);
}
