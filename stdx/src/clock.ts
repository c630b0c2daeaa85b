/**
 * Time as an argument. Decisions about leases use both: the monotonic clock stands still while a machine is
 * suspended.
 */
export interface Clock {
  /** Milliseconds since 1970; may step. */
  wallMs(): number;
  /** Milliseconds since some start; never goes back. */
  monotonicMs(): number;
}

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};
