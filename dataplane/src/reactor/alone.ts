// Calls that begin while no other one of their kind runs: under which of them a node ends, is known then.
import type { Disarm, TimerPort } from "./ports.ts";

/**
 * How long one holds up the others: what ends nodes does so soon after it begins. After that the next one
 * begins beside it, and an end counts for both.
 */
export const aloneMsMax = 5_000;

/** A call that is to begin alone, in that activation; `grant` is called when it may. */
export interface AloneCall {
  readonly call: number;
  readonly activation: number;
  readonly grant: () => void;
}

/** One has the turn, for `aloneMsMax` at most. */
export class Alone {
  #now: { readonly asking: AloneCall; readonly disarm: Disarm } | undefined;
  /** By call, in the order in which they came. */
  readonly #waiting = new Map<number, AloneCall>();
  readonly #timers: TimerPort;
  readonly #later: (act: () => void) => void;

  /** `later`: calls after the pass that is at work. */
  constructor(timers: TimerPort, later: (act: () => void) => void) {
    this.#timers = timers;
    this.#later = later;
  }

  /** Whether it waits for another one. */
  ask(asking: AloneCall): boolean {
    const waits = this.#now !== undefined;
    if (waits) this.#waiting.set(asking.call, asking);
    else this.#give(asking);
    return waits;
  }

  /** The call does not run any more, or never will. */
  leave(call: number): void {
    this.#waiting.delete(call);
    if (this.#now?.asking.call === call) this.#next();
  }

  /** The activation is over, and so is all that ran in it. */
  leaveAll(activation: number): void {
    for (const one of this.#waiting.values())
      if (one.activation === activation) this.#waiting.delete(one.call);
    if (this.#now?.asking.activation === activation) this.#next();
  }

  #next(): void {
    this.#now?.disarm();
    this.#now = undefined;
    for (const [call, asking] of this.#waiting) {
      this.#waiting.delete(call);
      this.#give(asking);
      return;
    }
  }

  #give(asking: AloneCall): void {
    const disarm = this.#timers.at(this.#timers.nowMs() + aloneMsMax, () => this.#next());
    this.#now = { asking, disarm };
    this.#later(asking.grant);
  }
}
