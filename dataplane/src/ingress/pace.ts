// What one connection may have this thread do before the others are looked at. Without it the thread takes
// all that a connection has sent, a megabyte and more at once: ten thousands of one-byte chunks, or some
// thousand calls, and every neighbour waits until it is through.
import type { Crowd, InLine } from "./crowd.ts";
import type { Intake } from "./intake.ts";
import { chunkUnits, requestUnits, restUnitsPerMs, tickUnits } from "./limits.ts";

/**
 * The budget of one connection and tick of the event loop. Nothing is measured while it lasts. When it is
 * spent, nothing is read from the connection until the tick is over, so a connection that is alone loses
 * nothing. What was read by then cannot be put back: requests wait for later ticks, and chunks, of which one
 * read may bring many times the budget, are paid for by a rest.
 */
export class Pace implements InLine {
  readonly #intake: Intake;
  readonly #crowd: Crowd;
  #left = tickUnits;
  #isStopped = false;
  #isFull = false;
  #isInLine = false;
  #tick: NodeJS.Immediate | undefined;
  #resting: NodeJS.Timeout | undefined;
  /** Requests that were read when the budget, or that of all, was spent; the oldest first. */
  #waiting: (() => void)[] = [];

  constructor(intake: Intake, crowd: Crowd) {
    this.#intake = intake;
    this.#crowd = crowd;
  }

  /** Runs it now, or in its order in a later tick. */
  take(request: () => void): void {
    if (this.#left > 0 && this.#waiting.length === 0 && this.#crowd.isOpen) {
      this.#run(request);
      return;
    }
    this.#waiting.push(request);
    if (this.#isInLine || this.#isStopped) return;
    this.#intake.stop();
    this.#standInLine();
  }

  beginOne(): void {
    const request = this.#waiting.shift();
    if (request !== undefined) this.#run(request);
    if (!this.#isStopped && this.#waiting.length > 0) {
      this.#crowd.wait(this);
      return;
    }
    this.#isInLine = false;
    this.#readOn();
  }

  /** To be called when somebody else has begun to read again. */
  hold(): void {
    if (this.#mayNotRead) this.#intake.stop();
  }

  /** Nothing is read either while the connection may not have another request. */
  full(isFull: boolean): void {
    if (this.#isFull === isFull) return;
    this.#isFull = isFull;
    if (isFull) this.#intake.stop();
    else this.#readOn();
  }

  chunk(): void {
    this.#spend(chunkUnits);
  }

  /** The connection has ended, and so have the requests that wait. */
  close(): void {
    clearImmediate(this.#tick);
    clearTimeout(this.#resting);
    this.#waiting = [];
  }

  get #mayNotRead(): boolean {
    return this.#isStopped || this.#isFull || this.#isInLine;
  }

  #standInLine(): void {
    this.#isInLine = true;
    this.#crowd.wait(this);
  }

  #readOn(): void {
    if (!this.#mayNotRead) this.#intake.start();
  }

  #run(request: () => void): void {
    this.#spend(requestUnits);
    this.#crowd.begin();
    request();
  }

  #spend(units: number): void {
    this.#left -= units;
    if (this.#left > 0 || this.#isStopped) return;
    this.#isStopped = true;
    this.#intake.stop();
    this.#tick = setImmediate(() => this.#rest());
  }

  /** After the tick, when it is known what it has cost. */
  #rest(): void {
    const restMs = Math.floor(-this.#left / restUnitsPerMs);
    if (restMs === 0) this.#refill();
    else this.#resting = setTimeout(() => this.#refill(), restMs);
  }

  #refill(): void {
    this.#left = tickUnits;
    this.#isStopped = false;
    if (this.#waiting.length > 0) this.#standInLine();
    else this.#readOn();
  }
}
