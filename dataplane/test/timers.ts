// TimerPort in a test's hand: time passes when the test says so.
import type { TimerPort } from "../src/reactor/index.ts";

export interface TestTimers extends TimerPort {
  /** Everything that is due in this time happens, in its order. */
  readonly pass: (ms: number) => void;
  /** How many are armed. */
  readonly armed: () => number;
}

export function testTimers(startMs = 1_000_000): TestTimers {
  let nowMs = startMs;
  const waiting = new Set<{ readonly atMs: number; readonly act: () => void }>();
  return {
    nowMs: () => nowMs,
    armed: () => waiting.size,
    at(atMs, act) {
      const one = { atMs, act };
      waiting.add(one);
      return () => void waiting.delete(one);
    },
    pass(ms) {
      nowMs += ms;
      const due = [...waiting].filter(({ atMs }) => atMs <= nowMs).sort((a, b) => a.atMs - b.atMs);
      for (const one of due) if (waiting.delete(one)) one.act();
    },
  };
}
