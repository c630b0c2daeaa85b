// Calls that come at a steady rate, whether earlier ones were answered or not.
import { wordsOf } from "@voda/stdx";
import type { Called } from "./caller.ts";

/** What became of the calls of one slice. */
export interface ArrivalSlice {
  /** Of each call, from the instant at which it was due to its answer. */
  readonly ms: Float64Array;
  /** Of each call, from the instant at which it was due to the one at which it was sent. */
  readonly lateMs: Float64Array;
  /** From the first arrival to the last answer. */
  readonly tookMs: number;
  /** Calls that were answered only after another attempt. */
  readonly retried: number;
  readonly unanswered: number;
  /** Of the first call that was not answered. */
  readonly problem: string | undefined;
}

/** Calls that come at equal distances. */
export interface Arrivals {
  readonly perSecond: number;
  readonly count: number;
}

/** Resolves when every call was answered or given up. */
export async function arrive(
  { perSecond, count }: Arrivals,
  call: (i: number) => Promise<Called>,
): Promise<ArrivalSlice> {
  const [ms, lateMs] = [new Float64Array(count), new Float64Array(count)];
  let [retried, unanswered] = [0, 0];
  let problem: string | undefined;
  const startedMs = performance.now();
  const one = async (i: number): Promise<void> => {
    const dueMs = startedMs + (i * 1000) / perSecond;
    lateMs[i] = performance.now() - dueMs;
    try {
      const { attempts } = await call(i);
      if (attempts > 1) retried += 1;
    } catch (error) {
      problem ??= wordsOf(error);
      unanswered += 1;
    }
    ms[i] = performance.now() - dueMs;
  };
  const calls: Promise<void>[] = [];
  await whenDue({ perSecond, count }, startedMs, (i) => calls.push(one(i)));
  await Promise.all(calls);
  return { ms, lateMs, tookMs: performance.now() - startedMs, retried, unanswered, problem };
}

/** Calls `arrival` for each index when it is due, late ones at once. Resolves after the last one. */
function whenDue(
  { perSecond, count }: Arrivals,
  startedMs: number,
  arrival: (i: number) => void,
): Promise<void> {
  return new Promise((resolve) => {
    let next = 0;
    const tick = (): void => {
      const due = Math.min(count, Math.floor(((performance.now() - startedMs) * perSecond) / 1000) + 1);
      for (; next < due; next++) arrival(next);
      if (next === count) resolve();
      else setTimeout(tick, 0);
    };
    tick();
  });
}
