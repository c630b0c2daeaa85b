// Timers in a test's hand: time passes when the test says so.
import type { Timers } from "../src/reactor/index.ts";

export interface TestTimers extends Timers {
  /** Everything that is due in this time happens, in its order. */
  readonly pass: (ms: number) => void;
}

export function testTimers(startMs = 1_000_000): TestTimers {
  let nowMs = startMs;
  let waiting: { readonly atMs: number; readonly act: () => void }[] = [];
  return {
    nowMs: () => nowMs,
    at(atMs, act) {
      waiting.push({ atMs, act });
    },
    pass(ms) {
      nowMs += ms;
      const due = waiting.filter(({ atMs }) => atMs <= nowMs).sort((a, b) => a.atMs - b.atMs);
      waiting = waiting.filter(({ atMs }) => atMs > nowMs);
      for (const { act } of due) act();
    },
  };
}
