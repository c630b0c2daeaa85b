// How long a caller has had for the head of a request. node:http counts on while nobody reads what has come.
import type { Clock } from "@voda/stdx";
import { headersMsMax } from "./limits.ts";

/** Of one connection: the time begins anew whenever it is read from again. */
export class HeadTime {
  readonly #clock: Clock;
  #readSinceMs: number;
  #again: NodeJS.Timeout | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#readSinceMs = clock.monotonicMs();
  }

  /** It is read from. */
  start(): void {
    this.#readSinceMs = this.#clock.monotonicMs();
  }

  stop(): void {
    this.#readSinceMs = Number.POSITIVE_INFINITY;
  }

  /** node:http has given the head up, and counts for it no longer. `cut`: so does the caller's time. */
  late(cut: () => void): void {
    const readMs = Math.max(0, this.#clock.monotonicMs() - this.#readSinceMs);
    if (readMs >= headersMsMax) cut();
    else this.#again = setTimeout(() => this.late(cut), headersMsMax - readMs);
  }

  /** It has come, or nobody waits for it any more. */
  over(): void {
    clearTimeout(this.#again);
  }
}
