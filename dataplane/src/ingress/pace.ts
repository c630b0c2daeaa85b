// What one connection may have this thread do before the others are looked at. Without it the thread takes
// all that a connection has sent, a megabyte and more at once: ten thousands of one-byte chunks, or some
// thousand calls, and every neighbour waits until it is through.
import type { Intake } from "./intake.ts";
import { chunkUnits, requestUnits, restUnitsPerMs, tickUnits } from "./limits.ts";

/**
 * The budget of one connection and tick of the event loop. Nothing is measured while it lasts. When it is
 * spent, nothing is read from the connection until the tick is over, so a connection that is alone loses
 * nothing. What was read by then cannot be put back: requests wait for later ticks, and chunks, of which one
 * read may bring many times the budget, are paid for by a rest.
 */
export class Pace {
  readonly #intake: Intake;
  #left = tickUnits;
  #isStopped = false;
  #isFull = false;
  #tick: NodeJS.Immediate | undefined;
  #resting: NodeJS.Timeout | undefined;
  /** Requests that were read when the budget was spent; the oldest first. */
  #waiting: (() => void)[] = [];

  constructor(intake: Intake) {
    this.#intake = intake;
  }

  /** Runs it now, or in its order in a later tick. */
  take(request: () => void): void {
    if (this.#left > 0 && this.#waiting.length === 0) this.#run(request);
    else this.#waiting.push(request);
  }

  /** To be called when somebody else has begun to read again. */
  hold(): void {
    if (this.#isStopped || this.#isFull) this.#intake.stop();
  }

  /** Nothing is read either while the connection may not have another request. */
  full(isFull: boolean): void {
    if (this.#isFull === isFull) return;
    this.#isFull = isFull;
    if (isFull) this.#intake.stop();
    else if (!this.#isStopped) this.#intake.start();
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

  #run(request: () => void): void {
    this.#spend(requestUnits);
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
    const waiting = this.#waiting;
    let next = 0;
    for (; next < waiting.length && this.#left > 0; next += 1) {
      const request = waiting[next];
      if (request !== undefined) this.#run(request);
    }
    this.#waiting = waiting.slice(next);
    if (!this.#isStopped && !this.#isFull) this.#intake.start();
  }
}
