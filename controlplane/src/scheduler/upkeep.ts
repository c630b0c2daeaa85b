// What a pool needs between decisions: new prices when they are due, and kept costs brought up to date. Each
// turn does one of these, so that a request never waits for more than one.
import type { Clock } from "@voda/stdx";
import type { Pool, PoolRequest } from "../placement/index.ts";

/** Prices void all kept costs; in a large pool making them anew takes tens of milliseconds in all. */
export const adoptIntervalMs = 1_000;

/** The pool to be kept up, and the clock that spaces its new prices. */
export interface UpkeepOptions {
  readonly pool: Pool;
  /** What sessions of the deployed agents ask for: expected before the first request. */
  readonly wanted: () => readonly PoolRequest[];
  readonly clock: Clock;
}

/** Owns the immediates and the timer of this work, until it is disposed of. */
export class Upkeep implements Disposable {
  readonly #options: UpkeepOptions;
  readonly #expected = new WeakSet();
  #adoptedMs = Number.NEGATIVE_INFINITY;
  /** Turns of catching up that are owed. */
  #turns = 0;
  #soon: NodeJS.Immediate | undefined;
  #later: NodeJS.Timeout | undefined;

  constructor(options: UpkeepOptions) {
    this.#options = options;
    this.#workSoon();
  }

  /** Each decision owes the catching up of one kind. */
  decided(): void {
    this.#turns = Math.max(1, this.#turns);
    this.#workSoon();
  }

  /** Nodes came or went. */
  nodesChanged(): void {
    this.#workSoon();
  }

  [Symbol.dispose](): void {
    clearImmediate(this.#soon);
    clearTimeout(this.#later);
  }

  #workSoon(): void {
    this.#soon ??= setImmediate(() => {
      this.#soon = undefined;
      this.#work();
      if (this.#turns > 0 && this.#options.pool.nodeCount > 0) this.#workSoon();
    });
  }

  #work(): void {
    const { pool, clock } = this.#options;
    if (pool.nodeCount === 0) return;
    const isFirst = this.#adoptedMs === Number.NEGATIVE_INFINITY;
    if (isFirst || pool.isAdoptDue()) {
      const waitMs = this.#adoptedMs + adoptIntervalMs - clock.monotonicMs();
      if (waitMs <= 0) return this.#adopt();
      this.#later ??= setTimeout(() => {
        this.#later = undefined;
        this.#workSoon();
      }, waitMs);
    }
    if (this.#turns === 0) return;
    this.#turns -= 1;
    pool.tick();
  }

  #adopt(): void {
    const { pool, wanted, clock } = this.#options;
    this.#adoptedMs = clock.monotonicMs();
    for (const request of wanted()) {
      const kind = pool.kindOf(request);
      if (request.resources.gpu.type === "none" || typeof kind === "string" || this.#expected.has(kind))
        continue;
      this.#expected.add(kind);
      pool.expect(request);
    }
    pool.adopt();
    this.#turns = pool.ticks;
  }
}
