// A program on a machine whose clocks drift, and which can be suspended under it.
import { type Channel, Program } from "../../../dataplane/src/testing/program.ts";
import { type Clocks, createClocks } from "./clocks.ts";
import type { Clockwork } from "./clockwork.ts";

export type { Channel };

export class SimProgram extends Program {
  readonly #random: Clockwork["random"];
  readonly #clocks: Clocks;
  #isPaused = false;
  #backlog: (() => void)[] = [];

  constructor(clockwork: Clockwork) {
    const clocks = createClocks(clockwork);
    super(clockwork, clocks);
    this.#random = clockwork.random;
    this.#clocks = clocks;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  get clocks(): Pick<Clocks, "monotonicMs" | "wallMs" | "storeMs"> {
    return this.#clocks;
  }

  override crash(): void {
    super.crash();
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
    const waiting = this.#backlog;
    this.#backlog = [];
    for (const due of waiting) super.deliver(this.#random.below(4), due);
    this.#clocks.wake();
  }

  /** While it is stopped, what is due waits, and takes its place in the channel when it happens. */
  override deliver(delayMs: number, act: () => void, channel?: Channel): void {
    channel?.push(act);
    const due = (): void => {
      if (this.#isPaused) this.#backlog.push(due);
      else if (channel === undefined) act();
      else channel.shift()?.();
    };
    super.deliver(delayMs, due);
  }

  stepClock(): void {
    this.#clocks.step();
  }
}
