// Events in the order of their time: a binary heap.

/** `at` in any unit, one for the whole queue. */
export interface Timed<T> {
  readonly at: number;
  readonly item: T;
}

/** Events of one time come in no certain order. */
export class EventQueue<T> {
  readonly #heap: Timed<T>[] = [];

  add(at: number, item: T): void {
    const heap = this.#heap;
    const added = { at, item };
    let i = heap.push(added) - 1;
    while (i > 0) {
      const above = (i - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || parent.at <= at) break;
      heap[i] = parent;
      i = above;
    }
    heap[i] = added;
  }

  /** The earliest; it stays. */
  next(): Timed<T> | undefined {
    return this.#heap[0];
  }

  /** Takes the earliest event if it is due by then. */
  takeUntil(time: number): Timed<T> | undefined {
    const [first] = this.#heap;
    if (first === undefined || first.at > time) return undefined;
    const last = this.#heap.pop();
    if (last !== undefined && this.#heap.length > 0) this.#sink(last);
    return first;
  }

  #sink(sinking: Timed<T>): void {
    const heap = this.#heap;
    let i = 0;
    for (;;) {
      const left = heap[2 * i + 1];
      const right = heap[2 * i + 2];
      if (left === undefined) break;
      const isRight = right !== undefined && right.at < left.at;
      const child = isRight ? right : left;
      if (child.at >= sinking.at) break;
      heap[i] = child;
      i = 2 * i + (isRight ? 2 : 1);
    }
    heap[i] = sinking;
  }
}
