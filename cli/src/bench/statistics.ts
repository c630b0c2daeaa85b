// Roundings of what the benches measure, and what stands for many slices.

/** Rounded to one decimal: what a bench measures is not known better. */
export const tenths = (value: number): number => Math.round(value * 10) / 10;
/** Rounded to two decimals. */
export const hundredths = (value: number): number => Math.round(value * 100) / 100;

/** Not the mean: one slice in which another program took the machine would be in it. */
export function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const [lower = 0, upper = 0] = [
    sorted[Math.ceil(sorted.length / 2) - 1],
    sorted[Math.floor(sorted.length / 2)],
  ];
  return (lower + upper) / 2;
}
