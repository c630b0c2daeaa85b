import { assert } from "./assert.ts";

/**
 * A map by whole numbers from 0, for what comes and goes at each call. A `Map` moves to a new table after
 * every few entries, and V8 links the old table to the new one: once one of them is old to the collector, all
 * that came after it, with all that it held, outlives every young collection. Here what has left is held by
 * nothing.
 *
 * Open addressing, linear probing, deletion by backward shift (Knuth, TAOCP 3, 6.4, algorithm R).
 */
export class NumberMap<T> {
  #keys = new Float64Array(capacityMin);
  #values: (T | undefined)[] = new Array<T | undefined>(capacityMin);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: number): T | undefined {
    return this.#values[this.#slotOf(key)];
  }

  /** A key is a whole number from 0; `value` is never `undefined`: that is what an empty slot holds. */
  set(key: number, value: T & {}): void {
    assert(Number.isSafeInteger(key) && key >= 0, `the key ${key} is not a whole number from 0`);
    const slot = this.#slotOf(key);
    if (this.#values[slot] === undefined) {
      this.#size += 1;
      this.#keys[slot] = key;
    }
    this.#values[slot] = value;
    if (this.#size * 2 > this.#values.length) this.#grow();
  }

  /** Whether it was there. */
  delete(key: number): boolean {
    const slot = this.#slotOf(key);
    if (this.#values[slot] === undefined) return false;
    this.#size -= 1;
    this.#close(slot);
    return true;
  }

  /** A copy, in no order. */
  values(): T[] {
    return this.#values.filter((value) => value !== undefined);
  }

  /** Where the key is, or would go: half of the slots are empty. */
  #slotOf(key: number): number {
    const length = this.#values.length;
    let slot = key % length;
    while (this.#values[slot] !== undefined && this.#keys[slot] !== key) slot = (slot + 1) % length;
    return slot;
  }

  /** Each entry behind the gap that may not be found over it moves into it, and leaves the next gap. */
  #close(gap: number): void {
    const [keys, values] = [this.#keys, this.#values];
    const { length } = values;
    let empty = gap;
    for (let slot = (gap + 1) % length; values[slot] !== undefined; slot = (slot + 1) % length) {
      const key = keys[slot] ?? 0;
      const fromHome = (slot - (key % length) + length) % length;
      const fromEmpty = (slot - empty + length) % length;
      if (fromHome < fromEmpty) continue;
      values[empty] = values[slot];
      keys[empty] = key;
      empty = slot;
    }
    values[empty] = undefined;
  }

  #grow(): void {
    const [keys, values] = [this.#keys, this.#values];
    this.#keys = new Float64Array(values.length * 2);
    this.#values = new Array<T | undefined>(values.length * 2);
    for (const [slot, value] of values.entries()) {
      if (value === undefined) continue;
      const key = keys[slot] ?? 0;
      const to = this.#slotOf(key);
      this.#keys[to] = key;
      this.#values[to] = value;
    }
  }
}

const capacityMin = 16;
