/** The value below which `part` (0 to 1) of the ascending values lie; 0 when there are none. */
export function quantile(ascending: ArrayLike<number>, part: number): number {
  return ascending[Math.min(ascending.length - 1, Math.floor(part * ascending.length))] ?? 0;
}
