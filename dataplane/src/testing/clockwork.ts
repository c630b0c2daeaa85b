// Virtual time: what happens, when, and what happened last. The same seed gives the same run.
import { type Prng, prng } from "@voda/stdx";

export interface Clockwork {
  readonly random: Prng;
  readonly nowMs: number;
  /** The last things that happened, oldest first. */
  readonly trace: readonly string[];
  /** Does `act` after `delayMs`. */
  after(delayMs: number, act: () => void): void;
  say(line: string): void;
  /** Does the next thing; false when nothing is left. */
  next(): boolean;
}

interface Due {
  readonly atMs: number;
  readonly order: number;
  readonly act: () => void;
}

const traceLinesMax = 400;

export function createClockwork(seed: number): Clockwork {
  const heap: Due[] = [];
  const trace: string[] = [];
  let nowMs = 0;
  let order = 0;
  return {
    random: prng(seed),
    get nowMs() {
      return nowMs;
    },
    trace,
    after(delayMs, act) {
      push(heap, { atMs: nowMs + Math.max(0, delayMs), order: order++, act });
    },
    say(line) {
      trace.push(`${nowMs.toFixed(1).padStart(9)}  ${line}`);
      if (trace.length > 2 * traceLinesMax) trace.splice(0, traceLinesMax);
    },
    next() {
      const due = pop(heap);
      if (due === undefined) return false;
      nowMs = due.atMs;
      due.act();
      return true;
    },
  };
}

const isBefore = (a: Due, b: Due): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);

function push(heap: Due[], due: Due): void {
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

function pop(heap: Due[]): Due | undefined {
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
