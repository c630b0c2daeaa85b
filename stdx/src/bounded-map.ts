/**
 * A map of at most `max` entries: when one too many is set, the one that was set or used longest ago is
 * forgotten. Whoever asks again must be able to do without, or to make it anew.
 */
export class BoundedMap<K, V> {
  readonly max: number;
  /** In the order of their use, the oldest first. */
  readonly #entries = new Map<K, V>();

  constructor(max: number) {
    this.max = max;
  }

  get size(): number {
    return this.#entries.size;
  }

  has(key: K): boolean {
    return this.#entries.has(key);
  }

  /** Leaves the entry as old as it is. */
  get(key: K): V | undefined {
    return this.#entries.get(key);
  }

  /** Makes the entry the youngest. */
  use(key: K): V | undefined {
    const value = this.#entries.get(key);
    if (value !== undefined) this.set(key, value);
    return value;
  }

  set(key: K, value: V): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size <= this.max) return;
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest);
      return;
    }
  }

  delete(key: K): boolean {
    return this.#entries.delete(key);
  }
}
