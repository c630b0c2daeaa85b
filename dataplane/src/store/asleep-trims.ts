// Logs of sessions that sleep: what lies before their last fold goes when the store cannot lose that fold any
// more.
import type { SessionToken } from "@voda/proto/session";
import { BoundedQueue, bytesEqual, type Clock } from "@voda/stdx";
import { pageHash } from "./pages.ts";
import type { Store } from "./store.ts";

/** A trim of one session's log that waits until the store cannot lose the fold before it. */
export interface LogTrim {
  readonly token: SessionToken;
  /** Of the fold that the session sleeps with. */
  readonly hash: Uint8Array;
  /** What is before this sequence goes. */
  readonly below: number;
  readonly inMs: number;
}

/** Disposal forgets what waits: the next wake of the session trims it. */
export interface AsleepTrims extends Disposable {
  add(trim: LogTrim): void;
}

type Due = LogTrim & { readonly atMs: number };

/** One that finds no room is not trimmed until its session has woken: that costs space only. */
const trimsMax = 262_144;
const tickMs = 1_000;
/** In one tick, one after the other: the store has better things to do. */
const perTickMax = 200;

/** `failed` hears of a store that did not answer: the trim is left out. */
export function createAsleepTrims(
  store: Pick<Store, "lastFromLeader" | "trim">,
  clock: Clock,
  failed: (error: unknown, trim: LogTrim) => void,
): AsleepTrims {
  /** In the order in which they are due: all of a node wait for the same time. */
  const queue = new BoundedQueue<Due>(trimsMax);
  let next: Due | undefined;
  let isBusy = false;

  /** A session that has woken since has another last record, and trims itself. */
  async function trim(due: Due): Promise<void> {
    try {
      const last = await store.lastFromLeader(due.token);
      if (last !== undefined && bytesEqual(pageHash(last.bytes), due.hash))
        await store.trim(due.token, due.below);
    } catch (error) {
      failed(error, due);
    }
  }

  async function work(): Promise<void> {
    if (isBusy) return;
    isBusy = true;
    for (let count = 0; count < perTickMax; count += 1) {
      next ??= queue.shift();
      if (next === undefined || next.atMs > clock.monotonicMs()) break;
      const due = next;
      next = undefined;
      await trim(due);
    }
    isBusy = false;
  }

  const ticking = setInterval(() => void work(), tickMs);
  return {
    add: (one) => void queue.push({ ...one, atMs: clock.monotonicMs() + one.inMs }),
    [Symbol.dispose]: () => clearInterval(ticking),
  };
}
