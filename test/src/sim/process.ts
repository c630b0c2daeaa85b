// A process on a machine whose clocks drift, and which can be suspended under it.
import { Process } from "../../../dataplane/src/testing/process.ts";
import { type Clocks, createClocks } from "./clocks.ts";
import type { Clockwork } from "./clockwork.ts";

export type { Channel } from "../../../dataplane/src/testing/process.ts";

export class SimProcess extends Process {
  readonly #clocks: Clocks;

  constructor(clockwork: Clockwork) {
    const clocks = createClocks(clockwork);
    super(clockwork, clocks);
    this.#clocks = clocks;
  }

  get clocks(): Pick<Clocks, "monotonicMs" | "wallMs" | "storeMs"> {
    return this.#clocks;
  }

  override crash(): void {
    super.crash();
    this.#clocks.wake();
  }

  /** `suspended`: with its machine. */
  override pause(suspended = false): void {
    super.pause();
    if (suspended) this.#clocks.suspend();
  }

  override resume(): void {
    super.resume();
    this.#clocks.wake();
  }

  stepClock(): void {
    this.#clocks.step();
  }
}
