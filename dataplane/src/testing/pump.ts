// Virtual time and the event loop of the test take turns: after each step the handlers that it has set off
// run as far as they get.
import { setImmediate as loopTick } from "node:timers/promises";
import { wordsOf } from "@voda/stdx";
import { type Clockwork, createClockwork } from "./clockwork.ts";

export interface PumpOptions {
  /** Draws the order of what happens at the same time; `undefined`: in the order in which it was set off. */
  readonly seed: number | undefined;
  /** Hears of each step before it is done; they count from 1. */
  readonly before: (step: number) => void;
  /**
   * Somebody waits, and only for what the mesh does after a while by itself. Asked when nothing is due; then
   * time goes on.
   */
  readonly isStuck: () => boolean;
  /** A step threw, which is a fault of voda: nothing happens any more. */
  readonly broken: (error: Error) => void;
}

const defaultSeed = 1;

/** Disposal lets nothing more happen. */
export class Pump implements Disposable {
  readonly clockwork: Clockwork;
  readonly #options: PumpOptions;
  #running: Promise<void> | undefined;
  #steps = 0;
  #isClosed = false;

  constructor(options: PumpOptions) {
    const { seed = defaultSeed } = options;
    this.#options = options;
    this.clockwork = createClockwork(seed, {
      isShuffled: options.seed !== undefined,
      added: () => this.#kick(),
    });
  }

  get steps(): number {
    return this.#steps;
  }

  /** Until nothing more happens by itself at this time. */
  async quiet(): Promise<void> {
    await loopTick();
    while (this.#running !== undefined) await this.#running;
  }

  /** Time goes on, from one thing that is due to the next. */
  async advance(ms: number): Promise<void> {
    await this.quiet();
    const untilMs = this.clockwork.nowMs + ms;
    await this.advanceWhile(untilMs, () => true);
    if (this.clockwork.nowMs < untilMs) this.clockwork.moveTo(untilMs);
  }

  /** The same, as long as there is something to wait for. */
  async advanceWhile(untilMs: number, isWaiting: () => boolean): Promise<void> {
    while (!this.#isClosed && isWaiting() && this.#moveToNext(untilMs)) {
      this.#kick();
      await this.quiet();
    }
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
  }

  get #isDue(): boolean {
    const { nextAtMs, nowMs } = this.clockwork;
    return nextAtMs !== undefined && nextAtMs <= nowMs && !this.#isClosed;
  }

  /** False when nothing is due until then. */
  #moveToNext(untilMs: number): boolean {
    const { nextAtMs } = this.clockwork;
    if (nextAtMs === undefined || nextAtMs > untilMs) return false;
    this.clockwork.moveTo(nextAtMs);
    return true;
  }

  #kick(): void {
    if (this.#isDue) this.#running ??= this.#run();
  }

  /** What is set off in one tick of the loop is there before any of it happens. */
  async #run(): Promise<void> {
    await loopTick();
    for (;;) {
      while (this.#isDue) {
        this.#step();
        await loopTick();
      }
      if (this.#isClosed || !this.#options.isStuck() || !this.#moveToNext(Number.POSITIVE_INFINITY)) break;
    }
    this.#running = undefined;
  }

  #step(): void {
    try {
      this.#steps += 1;
      this.#options.before(this.#steps);
      this.clockwork.next();
    } catch (error) {
      this.#isClosed = true;
      this.#options.broken(error instanceof Error ? error : new Error(wordsOf(error), { cause: error }));
    }
  }
}
