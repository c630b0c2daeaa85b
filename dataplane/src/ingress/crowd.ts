// What all connections together have this thread do in one tick of the event loop. Each has a budget of its
// own, but hundreds of those are a tick that nobody else gets through: answers and appends of others wait.
import { crowdRequests } from "./limits.ts";

/** A connection with requests that wait. */
export interface InLine {
  /** Begins one of them, if it has not ended; it comes into the line again if it has more. */
  beginOne(): void;
}

/**
 * Nothing is measured before the budget is spent. Then the connections that have more stand in line for the
 * next tick, and begin one request each, in turn: one with a single request waits for one of each other.
 */
export class Crowd {
  #left = crowdRequests;
  readonly #line: InLine[] = [];
  #isRunning = false;
  #isSpent = false;

  /** Whether a request may begin out of line. */
  get isOpen(): boolean {
    return this.#left > 0 && this.#line.length === 0 && !this.#isRunning;
  }

  /** A request begins. */
  begin(): void {
    this.#left -= 1;
    if (this.#left > 0 || this.#isSpent) return;
    this.#isSpent = true;
    setImmediate(() => this.#refill());
  }

  wait(connection: InLine): void {
    this.#line.push(connection);
    this.#run();
  }

  #refill(): void {
    this.#isSpent = false;
    this.#left = crowdRequests;
    this.#run();
  }

  #run(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    try {
      while (this.#left > 0) {
        const next = this.#line.shift();
        if (next === undefined) break;
        next.beginOne();
      }
    } finally {
      this.#isRunning = false;
    }
  }
}
