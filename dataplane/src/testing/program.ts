// A program in virtual time: it is up or not.
import type { Clockwork } from "./clockwork.ts";

/** Things that happen in the order in which they were sent, whatever their delays. */
export type Channel = (() => void)[];

/** The clock of its machine. */
export interface ProgramClock {
  readonly monotonicMs: number;
  /** Virtual time until the clock shows `atMs`, if the machine is not suspended. */
  delayUntil(atMs: number): number;
}

export class Program {
  readonly #clockwork: Clockwork;
  readonly #clock: ProgramClock;
  #generation = 0;
  #isUp = false;

  constructor(clockwork: Clockwork, clock: ProgramClock) {
    this.#clockwork = clockwork;
    this.#clock = clock;
  }

  /** Counts the starts. */
  get generation(): number {
    return this.#generation;
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  start(): void {
    this.#generation += 1;
    this.#isUp = true;
  }

  crash(): void {
    this.#generation += 1;
    this.#isUp = false;
  }

  /** Does `act` in this life of the program. */
  deliver(delayMs: number, act: () => void, channel?: Channel): void {
    const bornIn = this.#generation;
    channel?.push(act);
    const due = (): void => {
      if (bornIn !== this.#generation || !this.#isUp) return;
      if (channel === undefined) act();
      else channel.shift()?.();
    };
    this.#clockwork.after(delayMs, due);
  }

  /** Does `act` when the monotonic clock shows `atMs`, or a little later. */
  at(atMs: number, act: () => void): void {
    this.deliver(this.#clock.delayUntil(atMs), () => {
      // the machine was suspended meanwhile
      if (this.#clock.monotonicMs < atMs) this.at(atMs, act);
      else act();
    });
  }
}
