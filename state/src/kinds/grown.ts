// A list that its versions share: a newer one stands behind what an older one sees, and copies nothing.

/** A list that does not change; `push` gives a longer one. */
export class Grown<T> {
  /** May be longer than this version: what is behind `length` belongs to newer ones. */
  readonly #items: T[];
  readonly length: number;

  constructor(items: T[] = [], length = items.length) {
    this.#items = items;
    this.length = length;
  }

  at(index: number): T | undefined {
    return index < this.length ? this.#items[index] : undefined;
  }

  /** The room behind the last item belongs to whoever takes it first; others copy. */
  push(item: T): Grown<T> {
    const items = this.#items.length === this.length ? this.#items : this.toArray();
    items.push(item);
    return new Grown(items);
  }

  /** A copy, which is the caller's own. */
  toArray(from = 0): T[] {
    return this.#items.slice(from, this.length);
  }
}
