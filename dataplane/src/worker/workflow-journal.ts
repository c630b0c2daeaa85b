// The journal of one run of a workflow: the body has results in the order of their entries, at most one at a
// time, whether it runs for the first time or again. So a race ends as it did.
import { type Entry, undone, waited } from "./workflow-rows.ts";

export interface Placed {
  readonly place: number;
  readonly entry: Entry;
}

/** `after`: calls `act` once the body has gone as far as it gets by itself. */
export class Journal {
  readonly #after: (act: () => void) => void;
  readonly #known = new Map<string, Placed>();
  /** Those that it began with, and may be asked for: what was undone comes after them. */
  readonly #loaded: number;
  /** Of the last that it began with by which a body has told that it had those before. */
  readonly #told: number;
  /** Who waits for the result of an entry, by its place. */
  readonly #asked = new Map<number, () => void>();
  /** Places that turns of the body have made, and that are not stored yet. */
  readonly #open = new Set<number>();
  /** Entries before it were handed out, or nobody has asked for them in time. */
  #next = 0;
  /** The body goes on from the last one: what is asked for meanwhile runs side by side with it. */
  #isGoing = false;
  #isWaiting = false;
  #isOver = false;
  /** How many have asked that nothing is handed out. */
  #holds = 0;

  constructor(entries: readonly Entry[], after: (act: () => void) => void) {
    this.#after = after;
    this.#loaded = entries.filter(({ step }) => !step.startsWith(undone)).length;
    this.#told = entries.findLastIndex(({ step }) => !step.startsWith(waited));
    for (const [place, entry] of entries.entries()) this.#known.set(entry.step, { place, entry });
  }

  /** Whether what comes now is new. */
  get isOver(): boolean {
    return this.#isOver || this.isWhole;
  }

  /** Whether all that it began with was handed out. */
  get isWhole(): boolean {
    return this.#next >= this.#loaded;
  }

  /** Whether the body goes on soon. */
  get isHandingOut(): boolean {
    return this.#asked.size > 0;
  }

  has(step: string): boolean {
    return this.#known.has(step);
  }

  /** Whether a body before this one may have gone on from it. */
  isTold(step: string): boolean {
    const placed = this.#known.get(step);
    return placed !== undefined && placed.place < this.#told;
  }

  /** `undefined`: it was never done. */
  async of(step: string): Promise<Placed | undefined> {
    const placed = this.#known.get(step);
    if (placed === undefined) return undefined;
    await this.#turnOf(placed.place);
    return this.#known.get(step); // or it was taken back meanwhile
  }

  /** Something has come, whether the body waits for it already or not. */
  add(placed: Placed): void {
    this.#known.set(placed.entry.step, placed);
  }

  /**
   * What `add` told of: the body has it once it has gone as far as it gets from what came before. False when
   * it was taken back.
   */
  async came(step: string): Promise<boolean> {
    const placed = this.#known.get(step);
    if (placed === undefined) return false;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#asked.set(placed.place, resolve);
    this.#wait();
    await promise;
    return this.#known.has(step);
  }

  /** Nothing is handed out until what it returns was called, once or more often. */
  hold(): () => void {
    let isHeld = true;
    this.#holds += 1;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#holds -= 1;
      if (this.isHandingOut) this.#wait();
    };
  }

  /** The entry of a step that the body has not had is nobody's any more. */
  takeBack(step: string): void {
    const placed = this.#known.get(step);
    if (placed === undefined) return;
    this.#known.delete(step);
    this.#asked.get(placed.place)?.();
    this.#asked.delete(placed.place);
  }

  /** A turn of the body has made an entry: what comes after it waits until it is known what became of it. */
  open(place: number): void {
    this.#open.add(place);
  }

  /** Its turn is stored. */
  async stored(place: number): Promise<void> {
    this.#open.delete(place);
    await this.#turnOf(place);
  }

  /** It came to nothing. */
  lost(place: number): void {
    this.#open.delete(place);
    if (this.isHandingOut) this.#wait();
  }

  /** The body does what it never did: all that it says from here on is new. */
  goOn(): void {
    this.#isOver = true;
  }

  /** The body has what was handed out last. */
  taken(): void {
    this.#isGoing = false;
  }

  #turnOf(place: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#asked.set(place, resolve);
    // what others have asked for comes once the body has gone as far as it gets: it may be on its way still
    if (place <= this.#next && !this.#isGoing) this.#give(place);
    else this.#wait();
    return promise;
  }

  /** Unless something comes before it. */
  #give(place: number): void {
    if (this.#holds > 0) return;
    if (place > Math.min(...this.#asked.keys()) || Math.min(...this.#open) < place) return this.#wait();
    const resolve = this.#asked.get(place);
    this.#asked.delete(place);
    this.#next = Math.max(this.#next, place + 1);
    this.#isGoing = true;
    resolve?.();
    if (this.isHandingOut) this.#wait();
  }

  /** Entries before those that were asked for may still be. */
  #wait(): void {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    this.#after(() => {
      this.#isWaiting = false;
      this.#isGoing = false;
      if (!this.isHandingOut || this.#holds > 0) return;
      const first = Math.min(...this.#asked.keys());
      if (Math.min(...this.#open) < first) return;
      this.#next = Math.max(this.#next, first);
      this.#give(first);
    });
  }
}
