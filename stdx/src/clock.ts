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

/** The clocks of this process; only programs make use of it, all else gets a clock as an argument. */
export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};
