// Means, spreads and quantiles of what the benches measure.
import type { Prng } from "@voda/stdx";

export interface Spread {
  readonly mean: number;
  /** Of the sample; 0 for one run. */
  readonly sd: number;
}

export function spreadOf(values: readonly number[]): Spread {
  const mean = values.reduce((sum, one) => sum + one, 0) / Math.max(1, values.length);
  const squares = values.reduce((sum, one) => sum + (one - mean) ** 2, 0);
  return { mean: round(mean), sd: round(Math.sqrt(squares / Math.max(1, values.length - 1))) };
}

export function shownSpread({ mean, sd }: Spread): string {
  return `${mean.toFixed(2)} ± ${sd.toFixed(2)}`;
}

/** For the title of a chart. */
export function runsWords(runs: number): string {
  return runs === 1 ? "one run" : `mean of ${runs} runs`;
}

/** All values in ascending order. */
export function merged(lists: readonly Float64Array[]): Float64Array {
  const all = new Float64Array(lists.reduce((length, list) => length + list.length, 0));
  let at = 0;
  for (const list of lists) {
    all.set(list, at);
    at += list.length;
  }
  return all.sort();
}

export function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}

export function shuffled<T>(list: readonly T[], chance: Prng): readonly T[] {
  const out = [...list];
  for (let i = out.length - 1; i > 0; i--) {
    const j = chance.below(i + 1);
    const [a, b] = [out[i], out[j]];
    if (a !== undefined && b !== undefined) [out[i], out[j]] = [b, a];
  }
  return out;
}
