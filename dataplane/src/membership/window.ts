import type { Clock } from "@voda/stdx";

/**
 * Both clocks at one instant. The monotonic one stands still while a machine is suspended; the wall clock may
 * step.
 */
export interface Instant {
  readonly wallMs: number;
  readonly monotonicMs: number;
}

/**
 * The two are read one after the other; a pause between them makes the wall clock later, so an interval
 * longer, which is safe.
 */
export const instantOf = (clock: Clock): Instant => ({
  wallMs: clock.wallMs(),
  monotonicMs: clock.monotonicMs(),
});

/** The larger of what the two clocks say: too long is safe, too short is not. */
export const elapsedMs = (from: Instant, to: Instant): number =>
  Math.max(to.monotonicMs - from.monotonicMs, to.wallMs - from.wallMs);

/** Life of a lease in the store after its last renewal. Whole seconds: NATS knows no others. */
export const leaseTtlMs = 3_000;
/** From the end of one renewal to the beginning of the next. */
export const leaseRenewMs = 1_000;
/**
 * How long the holder may rely on a renewal, from sending it. The second until `leaseTtlMs` covers clock
 * rates, steps, and differences among servers (PROTOCOL.md 5.7).
 */
export const readWindowMs = 2_000;

/**
 * When the own lease is certain to live. There is no flag that a timer clears: it would still be up after a
 * pause.
 */
export class LeaseWindow {
  #renewed: Instant | undefined;

  /** A renewal that was sent at this instant is acknowledged. */
  renewed(sentAt: Instant): void {
    this.#renewed = sentAt;
  }

  close(): void {
    this.#renewed = undefined;
  }

  /** Milliseconds for which the lease is still valid, 0 if it is not. */
  leftMs(now: Instant): number {
    return this.#renewed === undefined ? 0 : Math.max(0, readWindowMs - elapsedMs(this.#renewed, now));
  }
}
