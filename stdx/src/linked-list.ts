/** Where a thing stands: whoever has it may take the thing out. Only the list writes to it. */
export interface Link<T> {
  readonly value: T;
  readonly before: Link<T> | undefined;
  readonly after: Link<T> | undefined;
  readonly list: LinkedList<T> | undefined;
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

/**
 * Things in the order in which they came, any of which may leave at any time. Not a `Set`: here what has left
 * is held by nothing (see `NumberMap`), nor does it hold what came after it.
 */
export class LinkedList<T> {
  #first: Writable<Link<T>> | undefined;
  #last: Writable<Link<T>> | undefined;
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
    const [before, after]: readonly (Writable<Link<T>> | undefined)[] = [link.before, link.after];
    const gone: Writable<Link<T>> = link;
    if (before === undefined) this.#first = after;
    else before.after = after;
    if (after === undefined) this.#last = before;
    else after.before = before;
    // a link that is old to the collector must not keep those that came after it
    gone.before = undefined;
    gone.after = undefined;
    gone.list = undefined;
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
