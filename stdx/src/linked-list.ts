/** Where a thing stands: whoever has it may take the thing out. Only the list writes to it. */
export interface Link<T> {
  readonly value: T;
  before: Link<T> | undefined;
  after: Link<T> | undefined;
  list: LinkedList<T> | undefined;
}

/**
 * Things in the order in which they came, any of which may leave at any time. Not a `Set`: here what has left
 * is held by nothing (see `NumberMap`), nor does it hold what came after it.
 */
export class LinkedList<T> {
  #first: Link<T> | undefined;
  #last: Link<T> | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The oldest. */
  get first(): T | undefined {
    return this.#first?.value;
  }

  push(value: T): Link<T> {
    const link: Link<T> = { value, before: this.#last, after: undefined, list: this };
    if (this.#last === undefined) this.#first = link;
    else this.#last.after = link;
    this.#last = link;
    this.#size += 1;
    return link;
  }

  /** Whether it was here. */
  remove(link: Link<T>): boolean {
    if (link.list !== this) return false;
    const { before, after } = link;
    if (before === undefined) this.#first = after;
    else before.after = after;
    if (after === undefined) this.#last = before;
    else after.before = before;
    // a link that is old to the collector must not keep those that came after it
    link.before = undefined;
    link.after = undefined;
    link.list = undefined;
    this.#size -= 1;
    return true;
  }

  /** A copy, the oldest first. */
  values(): T[] {
    const values: T[] = [];
    for (let link = this.#first; link !== undefined; link = link.after) values.push(link.value);
    return values;
  }
}
