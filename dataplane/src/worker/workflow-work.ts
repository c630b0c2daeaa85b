// What is at work in one run of a body: steps, and the body itself from its beginning, or from the end of a
// step, until it awaits another one.

/** Counts what is at work. */
export class BodyWork {
  #count = 0;
  readonly #onEnd: (() => void)[] = [];
  readonly #rested: () => void;

  /** `rested`: something has ended, or waits. */
  constructor(rested: () => void) {
    this.#rested = rested;
  }

  /** Nothing that this thread sees is at work: what the body awaits beside steps it does not see. */
  get isNone(): boolean {
    return this.#count === 0;
  }

  begin(): void {
    this.#count += 1;
  }

  end(): void {
    this.#count -= 1;
    for (const resolve of this.#onEnd.splice(0)) resolve();
    this.#rested();
  }

  /** Until `wait` has come to its end, who asks is not at work. */
  async rest<R>(wait: Promise<R>): Promise<R> {
    this.end();
    try {
      return await wait;
    } finally {
      this.#count += 1;
    }
  }

  /** Until nothing is at work but who asks: what steps did is undone too, so they come to their end first. */
  async alone(): Promise<void> {
    while (this.#count > 1) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#onEnd.push(resolve);
      await promise;
    }
  }
}
