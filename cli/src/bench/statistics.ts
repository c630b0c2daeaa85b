// Quantiles and roundings of what the benches measure.

/** Of values in ascending order; 0 when there are none. */
export function quantile(ascending: ArrayLike<number>, part: number): number {
  return ascending[Math.floor(ascending.length * part)] ?? 0;
}

export const tenths = (value: number): number => Math.round(value * 10) / 10;
export const hundredths = (value: number): number => Math.round(value * 100) / 100;
