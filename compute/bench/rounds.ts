// What is compared runs in turns within one process, so that the machine's mood hits all alike.
import { quantile } from "@voda/stdx/bench";

/** One of the things that are compared: what it is called, and one run of it. */
export interface Contestant {
  readonly name: string;
  readonly run: () => void;
  /** Runs that are timed together; more for what takes less than a clock tick. Default 1. */
  readonly repeat?: number;
}

/** Microseconds of one run: the median over the rounds, and the 10th and 90th percentile. */
export interface Timing {
  readonly p10Us: number;
  readonly p50Us: number;
  readonly p90Us: number;
}

/** Each contestant in each round, by its name. The first round warms up and does not count. */
export function timeInTurns(
  contestants: readonly Contestant[],
  rounds: number,
): Readonly<Record<string, Timing>> {
  const samples = new Map(contestants.map(({ name }) => [name, new Float64Array(rounds)]));
  for (let round = -1; round < rounds; round += 1)
    for (const { name, run, repeat = 1 } of contestants) {
      const start = performance.now();
      for (let i = 0; i < repeat; i += 1) run();
      const us = (1000 * (performance.now() - start)) / repeat;
      const of = samples.get(name);
      if (round >= 0 && of !== undefined) of[round] = us;
    }
  return Object.fromEntries([...samples].map(([name, of]) => [name, timingOf(of.sort())]));
}

function timingOf(ascending: Float64Array): Timing {
  const at = (part: number): number => {
    return Math.round(1000 * quantile(ascending, part)) / 1000;
  };
  return { p10Us: at(0.1), p50Us: at(0.5), p90Us: at(0.9) };
}

/** How many times faster the first is than the second, by their medians. */
export const ratio = (fast: Timing | undefined, slow: Timing | undefined): number =>
  Math.round((100 * (slow?.p50Us ?? 0)) / (fast?.p50Us ?? 0)) / 100;
