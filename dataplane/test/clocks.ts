// Clocks in a test's hand.
import { type Clock, systemClock } from "@voda/stdx";

/** Time stands still: no machine is so busy that a timeout ends what a test waits for. */
export function stoppedClock(): Clock {
  const startedMs = performance.now();
  return { ...systemClock, monotonicMs: () => startedMs };
}
