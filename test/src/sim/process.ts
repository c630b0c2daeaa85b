// A process on a machine: it is up or not, and can be stopped and go on, alone or with its machine.
import { type Clocks, createClocks } from "./clocks.ts";
import type { Clockwork } from "./clockwork.ts";

/** Things that happen in the order in which they were sent, whatever their delays. */
export type Channel = (() => void)[];

export class SimProcess {
  readonly #clockwork: Clockwork;
  readonly #clocks: Clocks;
  #generation = 0;
  #isUp = false;
  #isPaused = false;
  #backlog: (() => void)[] = [];

  constructor(clockwork: Clockwork) {
    this.#clockwork = clockwork;
    this.#clocks = createClocks(clockwork);
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

  get clocks(): Pick<Clocks, "monotonicMs" | "wallMs" | "storeMs"> {
    return this.#clocks;
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
    this.#clocks.wake();
  }

  /** `suspended`: with its machine. */
  pause(suspended: boolean): void {
    this.#isPaused = true;
    if (suspended) this.#clocks.suspend();
  }

  resume(): void {
    this.#isPaused = false;
    this.#clocks.wake();
    const waiting = this.#backlog;
    this.#backlog = [];
    for (const due of waiting) this.#clockwork.after(this.#clockwork.random.below(4), due);
  }

  stepClock(): void {
    this.#clocks.step();
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
    this.deliver(this.#clocks.delayUntil(atMs), () => {
      // the machine was suspended meanwhile
      if (this.#clocks.monotonicMs < atMs) this.at(atMs, act);
      else act();
    });
  }
}
