// The clocks of a machine: they drift, are set, and one of them stands still while the machine is suspended.
import type { Clockwork } from "./clockwork.ts";

export interface Clocks {
  /** Stands still while the machine is suspended. */
  readonly monotonicMs: number;
  /** Steps. */
  readonly wallMs: number;
  /** What the store's clock shows, as far as this node knows. */
  readonly storeMs: number;
  /** Real time until the monotonic clock shows `atMs`, if the machine is not suspended. */
  delayUntil(atMs: number): number;
  suspend(): void;
  wake(): void;
  /** Somebody sets the wall clock. */
  step(): void;
}

/** What the store's clock shows when the schedule begins. */
export const storeWallMs = 1_000_000_000;
/** PROTOCOL.md 5.7 holds while a wall clock steps by less than 500 ms: so far to each side of the truth. */
const wallStepMsMax = 249;
/** How wrong a node may be about the store's clock. */
export const storeErrorMsMax = 200;
/** A timer is never early, whatever a division rounds. */
const roundingMs = 1e-6;

/** Rates differ by at most a tenth between any two machines. */
export function createClocks(clockwork: Clockwork): Clocks {
  const { random } = clockwork;
  const rate = 0.95 + random.next() / 10;
  const offsetMs = random.below(100_000);
  const skewMs = storeWallMs + random.below(storeErrorMsMax);
  let stepMs = 0;
  let suspendedMs = 0;
  let suspendedAtMs: number | undefined;
  const monotonicMs = (): number => offsetMs + ((suspendedAtMs ?? clockwork.nowMs) - suspendedMs) * rate;
  return {
    get monotonicMs() {
      return monotonicMs();
    },
    get wallMs() {
      return skewMs + stepMs + clockwork.nowMs;
    },
    get storeMs() {
      return skewMs + clockwork.nowMs;
    },
    delayUntil: (atMs) => Math.max(0, (atMs - monotonicMs()) / rate) + roundingMs,
    suspend() {
      suspendedAtMs = clockwork.nowMs;
    },
    wake() {
      if (suspendedAtMs !== undefined) suspendedMs += clockwork.nowMs - suspendedAtMs;
      suspendedAtMs = undefined;
    },
    step() {
      stepMs = random.below(2 * wallStepMsMax + 1) - wallStepMsMax;
    },
  };
}
