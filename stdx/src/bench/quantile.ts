/** The value below which `part` (0 to 1) of the ascending values lie; 0 when there are none. */
export function quantile(ascending: ArrayLike<number>, part: number): number {
  return ascending[Math.min(ascending.length - 1, Math.floor(part * ascending.length))] ?? 0;
}

/** Not the mean: a slice in which another program took the machine would be in it. Between two, half way. */
export function median(values: readonly number[]): number {
  const ascending = values.toSorted((a, b) => a - b);
  const half = ascending.length / 2;
  const [lower = 0, upper = 0] = [ascending[Math.ceil(half) - 1], ascending[Math.floor(half)]];
  return (lower + upper) / 2;
}
