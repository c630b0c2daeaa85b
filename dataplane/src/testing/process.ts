// A process in virtual time: it is up or not, and can be stopped and go on.
import type { Clockwork } from "./clockwork.ts";

/** Things that happen in the order in which they were sent, whatever their delays. */
export type Channel = (() => void)[];

/** The clock of its machine. */
export interface ProcessClock {
  readonly monotonicMs: number;
  /** Virtual time until the clock shows `atMs`, if the machine is not suspended. */
  delayUntil(atMs: number): number;
}

export class Process {
  readonly #clockwork: Clockwork;
  readonly #clock: ProcessClock;
  #generation = 0;
  #isUp = false;
  #isPaused = false;
  #backlog: (() => void)[] = [];

  constructor(clockwork: Clockwork, clock: ProcessClock) {
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

  get isPaused(): boolean {
    return this.#isPaused;
  }

  start(): void {
    this.#generation += 1;
    this.#isUp = true;
  }

  crash(): void {
    this.#generation += 1;
    this.#isUp = false;
    this.#isPaused = false;
    this.#backlog = [];
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    const waiting = this.#backlog;
    this.#backlog = [];
    for (const due of waiting) this.#clockwork.after(this.#clockwork.random.below(4), due);
  }

  /** Does `act` in this life of the process; while it is stopped, what is due waits. */
  deliver(delayMs: number, act: () => void, channel?: Channel): void {
    const bornIn = this.#generation;
    channel?.push(act);
    const due = (): void => {
      if (bornIn !== this.#generation || !this.#isUp) return;
      if (this.#isPaused) this.#backlog.push(due);
      else if (channel === undefined) act();
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
