// Whose call begins next in one thread: sessions have their turns one after the other, each for one call, so
// that who comes with many waits behind who comes with one. Pure: time comes in, and so does the event loop.

/** A session, and what the rounds remember of it; they alone write it. */
export interface Entrant {
  /** One of its calls begins now; it enters again if another one may. */
  readonly startNext: (nowMs: number) => void;
  /** Its bytes that are counted. */
  bytes: number;
  isIn: boolean;
  next: Entrant | undefined;
}

/** A session that has not entered. */
export const createEntrant = (startNext: Entrant["startNext"]): Entrant => ({
  startNext,
  bytes: 0,
  isIn: false,
  next: undefined,
});

export interface RoundsOptions {
  readonly nowMs: () => number;
  /** Calls `go` in the next tick of the event loop. */
  readonly later: (go: () => void) => void;
  /** The calls that may begin take more than `entrantsBytesMax`, or do not any more. */
  readonly onFull: (isFull: boolean) => void;
}

/**
 * Of a tick of the event loop for calls that begin: what they have answered leaves after it, and who has come
 * meanwhile is seen. The last one of them takes what it takes.
 */
export const tickMs = 4;
/** Calls that may begin wait in the thread's own memory up to so many bytes; more wait in its ring. */
export const entrantsBytesMax = 16 * 1024 * 1024;

/** Of one thread. */
export class Rounds {
  readonly #options: RoundsOptions;
  #first: Entrant | undefined;
  #last: Entrant | undefined;
  #bytes = 0;
  #tickAtMs: number;
  #isRunning = false;
  #isHeld = false;
  #isFull = false;
  #isPlanned = false;

  constructor(options: RoundsOptions) {
    this.#options = options;
    this.#tickAtMs = options.nowMs();
  }

  /** A tick of the event loop begins that may bring calls. */
  tick(): void {
    this.#tickAtMs = this.#options.nowMs();
  }

  /** No call begins from now on, or they go on. */
  hold(isHeld: boolean): void {
    this.#isHeld = isHeld;
    if (!isHeld) this.#plan();
  }

  /**
   * The session has calls that may begin, of so many bytes. Who finds nobody there does not wait, unless the
   * tick is over.
   */
  enter(entrant: Entrant, bytes: number): void {
    this.#bytes += bytes - entrant.bytes;
    entrant.bytes = bytes;
    if (!entrant.isIn) this.#append(entrant);
    if (this.#isRunning) return;
    if (this.#first === entrant) this.#run();
    else this.#look();
  }

  #append(entrant: Entrant): void {
    entrant.isIn = true;
    if (this.#last === undefined) this.#first = entrant;
    else this.#last.next = entrant;
    this.#last = entrant;
  }

  #run(): void {
    this.#isRunning = true;
    try {
      for (let next = this.#first; next !== undefined && !this.#isHeld; next = this.#first) {
        const nowMs = this.#options.nowMs();
        if (nowMs - this.#tickAtMs >= tickMs) break;
        this.#leave(next);
        next.startNext(nowMs);
      }
    } finally {
      this.#isRunning = false;
    }
    this.#look();
    this.#plan();
  }

  #look(): void {
    const isFull = this.#bytes > entrantsBytesMax;
    if (isFull === this.#isFull) return;
    this.#isFull = isFull;
    this.#options.onFull(isFull);
  }

  #leave(first: Entrant): void {
    this.#first = first.next;
    if (this.#first === undefined) this.#last = undefined;
    first.next = undefined;
    first.isIn = false;
    this.#bytes -= first.bytes;
    first.bytes = 0;
  }

  #plan(): void {
    if (this.#isPlanned || this.#isHeld || this.#first === undefined) return;
    this.#isPlanned = true;
    this.#options.later(() => {
      this.#isPlanned = false;
      this.tick();
      this.#run();
    });
  }
}
