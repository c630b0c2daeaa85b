// Virtual time: what happens, and when. The same seed gives the same run.
import { type Prng, prng } from "@voda/stdx";

export interface Clockwork {
  readonly random: Prng;
  readonly nowMs: number;
  /** When the next thing is due; `undefined` when nothing is left. */
  readonly nextAtMs: number | undefined;
  /** Does `act` after `delayMs`. */
  after(delayMs: number, act: () => void): void;
  /** Does the next thing; false when nothing is left. */
  next(): boolean;
  /** Nothing may be due before. */
  moveTo(atMs: number): void;
}

export interface ClockworkOptions {
  /** What is due at the same time happens in an order that is drawn, not in that in which it was set off. */
  readonly isShuffled: boolean;
  /** Something is to happen. */
  readonly added: () => void;
}

const inOrder: ClockworkOptions = { isShuffled: false, added: () => undefined };

/** What is to happen, and in which place among all of its time. */
interface Planned {
  readonly atMs: number;
  readonly order: number;
  readonly act: () => void;
}

export function createClockwork(seed: number, { isShuffled, added } = inOrder): Clockwork {
  const heap: Planned[] = [];
  let nowMs = 0;
  let order = 0;
  const random = prng(seed);
  return {
    random,
    get nowMs() {
      return nowMs;
    },
    get nextAtMs() {
      return heap[0]?.atMs;
    },
    after(delayMs, act) {
      const atMs = nowMs + Math.max(0, delayMs);
      push(heap, { atMs, order: isShuffled ? random.next() : order++, act });
      added();
    },
    next() {
      const due = pop(heap);
      if (due === undefined) return false;
      nowMs = due.atMs;
      due.act();
      return true;
    },
    moveTo(atMs) {
      nowMs = atMs;
    },
  };
}

const isBefore = (a: Planned, b: Planned): boolean =>
  a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);

function push(heap: Planned[], due: Planned): void {
  let at = heap.length;
  heap.push(due);
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const above = heap[parent];
    if (above === undefined || isBefore(above, due)) break;
    heap[at] = above;
    at = parent;
  }
  heap[at] = due;
}

function pop(heap: Planned[]): Planned | undefined {
  const top = heap[0];
  const last = heap.pop();
  if (top === undefined || last === undefined || heap.length === 0) return top;
  let at = 0;
  for (;;) {
    const left = heap[2 * at + 1];
    const right = heap[2 * at + 2];
    const least = right !== undefined && left !== undefined && isBefore(right, left) ? right : left;
    if (least === undefined || isBefore(last, least)) break;
    heap[at] = least;
    at = least === right ? 2 * at + 2 : 2 * at + 1;
  }
  heap[at] = last;
  return top;
}
