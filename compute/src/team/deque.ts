// A work-stealing deque in shared memory (Chase, Lev, 2005; bounded, so nothing is ever copied). Its owner
// pushes and pops at the bottom, any other thread steals at the top. JavaScript's atomics are sequentially
// consistent, which is all that the algorithm needs.

/** Words before the ring: top and bottom, each on a cache line of its own. */
const headerWords = 32;
const topAt = 0;
const bottomAt = 16;

/** What `pop` and `steal` give when there is nothing. */
export const nothing = -1;

/** 32-bit words that a deque of this capacity takes. @param capacity a power of two */
export const dequeWords = (capacity: number): number => headerWords + capacity;

/**
 * Tasks are whole numbers from 0. Top and bottom only grow and wrap at 2^32: their difference is right all
 * the same. A thief that sleeps between reading `top` and taking it, while exactly 2^32 tasks pass, would
 * take one twice; at 20 ns a task that is 85 seconds in which a running thread does not run once.
 */
export class Deque {
  readonly capacity: number;
  readonly #words: Int32Array;
  readonly #mask: number;

  /** @param words `dequeWords(capacity)` of shared memory, all 0 at first */
  constructor(words: Int32Array) {
    this.capacity = words.length - headerWords;
    if (this.capacity < 2 || (this.capacity & (this.capacity - 1)) !== 0)
      throw new RangeError(`a deque of ${this.capacity} places; a power of two from 2 is possible`);
    this.#words = words;
    this.#mask = this.capacity - 1;
  }

  /** Only its owner. `false` when it is full: run the task yourself. */
  push(task: number): boolean {
    const words = this.#words;
    const bottom = Atomics.load(words, bottomAt);
    if (((bottom - Atomics.load(words, topAt)) | 0) >= this.capacity) return false;
    Atomics.store(words, headerWords + (bottom & this.#mask), task);
    Atomics.store(words, bottomAt, (bottom + 1) | 0);
    return true;
  }

  /** Only its owner: the task that was pushed last, or `nothing`. */
  pop(): number {
    const words = this.#words;
    const bottom = (Atomics.load(words, bottomAt) - 1) | 0;
    // Told before top is read: a thief then sees the last task as taken, or it takes it and we see that.
    Atomics.store(words, bottomAt, bottom);
    const top = Atomics.load(words, topAt);
    const left = (bottom - top) | 0;
    if (left > 0) return Atomics.load(words, headerWords + (bottom & this.#mask));
    const task = left === 0 ? Atomics.load(words, headerWords + (bottom & this.#mask)) : nothing;
    const isOurs = left === 0 && Atomics.compareExchange(words, topAt, top, (top + 1) | 0) === top;
    Atomics.store(words, bottomAt, (bottom + 1) | 0);
    return isOurs ? task : nothing;
  }

  /** Any thread: the task that was pushed first, or `nothing`, also when another thief was faster. */
  steal(): number {
    const words = this.#words;
    const top = Atomics.load(words, topAt);
    if (((Atomics.load(words, bottomAt) - top) | 0) <= 0) return nothing;
    // It stays there as long as top does: the owner writes over it only after top has passed it.
    const task = Atomics.load(words, headerWords + (top & this.#mask));
    return Atomics.compareExchange(words, topAt, top, (top + 1) | 0) === top ? task : nothing;
  }
}
