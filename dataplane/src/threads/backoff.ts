// How long a thread that ended waits for the next one.

/**
 * One that ran for so long before it ended is made good at once: a call that ends a thread now and then holds
 * up no neighbour.
 */
export const wellMs = 5_000;
/** A bundle that ends its thread at each start is tried twice a minute. */
export const restartDelayMsMax = 30_000;
const firstDelayMs = 100;

/** `deaths` in a row, this one included: the first is made good at once. */
export function restartDelayMs(deaths: number): number {
  return deaths <= 1 ? 0 : Math.min(restartDelayMsMax, firstDelayMs * 2 ** (deaths - 2));
}
