// Calls that run while no other one of their kind does: under which of them a node ends, is known then.

/** At most one has the turn. */
export class Alone {
  #now: number | undefined;
  /** By call, in the order in which they came. */
  readonly #waiting = new Map<number, () => void>();
  readonly #later: (act: () => void) => void;

  /** `later`: calls after the pass that is at work. */
  constructor(later: (act: () => void) => void) {
    this.#later = later;
  }

  /** `grant` is called when it has the turn; it may have it already. */
  ask(call: number, grant: () => void): void {
    if (this.#now === undefined || this.#now === call) this.#give(call, grant);
    else this.#waiting.set(call, grant);
  }

  /** The call is answered or passed on. */
  leave(call: number): void {
    this.#waiting.delete(call);
    if (this.#now !== call) return;
    this.#now = undefined;
    for (const [next, grant] of this.#waiting) {
      this.#waiting.delete(next);
      this.#give(next, grant);
      return;
    }
  }

  #give(call: number, grant: () => void): void {
    this.#now = call;
    this.#later(grant);
  }
}
