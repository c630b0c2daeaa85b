// The journal of a workflow whose body runs again: results are handed out in the order in which they came, so
// that a race ends as it did.
import type { Entry } from "./workflow-rows.ts";

export interface Placed {
  readonly place: number;
  readonly entry: Entry;
}

/** `after`: calls `act` once the body has gone as far as it gets by itself. */
export class Replay {
  readonly #after: (act: () => void) => void;
  readonly #known = new Map<string, Placed>();
  /** Who asked for entries that are not next, by their places. */
  readonly #asked = new Map<number, () => void>();
  /** Entries before it were handed out, or nobody has asked for them in time. */
  #next = 0;
  #isWaiting = false;
  #isOver = false;

  constructor(entries: readonly Entry[], after: (act: () => void) => void) {
    this.#after = after;
    for (const [place, entry] of entries.entries()) this.#known.set(entry.step, { place, entry });
  }

  /** Whether what comes now is new. */
  get isOver(): boolean {
    return this.#isOver || this.isWhole;
  }

  /** Whether all of it was handed out. */
  get isWhole(): boolean {
    return this.#next >= this.#known.size;
  }

  has(step: string): boolean {
    return this.#known.has(step);
  }

  /** `undefined`: it was never done. */
  async of(step: string): Promise<Placed | undefined> {
    const placed = this.#known.get(step);
    this.#isOver ||= placed === undefined;
    if (placed === undefined) return undefined;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#asked.set(placed.place, resolve);
    this.#handOut();
    await promise;
    return placed;
  }

  #handOut(): void {
    for (let next = this.#asked.get(this.#next); next !== undefined; next = this.#asked.get(this.#next)) {
      this.#asked.delete(this.#next);
      this.#next += 1;
      next();
    }
    // those that were handed out before their turn
    if (this.#asked.size === 0 || this.#isWaiting) return;
    this.#isWaiting = true;
    this.#after(() => {
      this.#isWaiting = false;
      if (this.#asked.size === 0) return;
      this.#next = Math.min(...this.#asked.keys());
      this.#handOut();
    });
  }
}
