/**
 * Things that wait for an answer, each under a slot and a generation that the answer has to name. Slots are
 * used again, generations of a slot are not (before 2^32 uses), so a late answer finds nothing.
 */
export class SlotTable<T> {
  readonly max: number;
  readonly #values: (T | undefined)[] = [];
  readonly #generations: number[] = [];
  readonly #free: number[] = [];

  constructor(max: number) {
    this.max = max;
  }

  get size(): number {
    return this.#values.length - this.#free.length;
  }

  /** The slot, or -1 when `max` are taken. */
  take(value: T): number {
    const reused = this.#free.pop();
    if (reused !== undefined) {
      this.#values[reused] = value;
      return reused;
    }
    if (this.#values.length === this.max) return -1;
    this.#generations.push(0);
    return this.#values.push(value) - 1;
  }

  /** Of the value that is in the slot now. */
  generation(slot: number): number {
    return this.#generations[slot] ?? 0;
  }

  get(slot: number, generation: number): T | undefined {
    return this.#generations[slot] === generation ? this.#values[slot] : undefined;
  }

  /** Takes the value out, unless somebody has done so before. */
  release(slot: number, generation: number): T | undefined {
    const value = this.get(slot, generation);
    if (value === undefined) return undefined;
    this.#values[slot] = undefined;
    this.#generations[slot] = (generation + 1) >>> 0;
    this.#free.push(slot);
    return value;
  }

  /** Calls `visit` for all that wait; it may release them. */
  forEach(visit: (value: T, slot: number, generation: number) => void): void {
    for (let slot = 0; slot < this.#values.length; slot += 1) {
      const value = this.#values[slot];
      if (value !== undefined) visit(value, slot, this.generation(slot));
    }
  }
}
