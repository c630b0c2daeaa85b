/** First in, first out, with a bound: `push` says whether there was room. */
export class BoundedQueue<T> {
  readonly max: number;
  #items: (T | undefined)[];
  #head = 0;
  #size = 0;

  constructor(max: number) {
    this.max = max;
    this.#items = new Array<T | undefined>(Math.min(8, Math.max(1, max)));
  }

  get size(): number {
    return this.#size;
  }

  push(item: T): boolean {
    if (this.#size === this.max) return false;
    if (this.#size === this.#items.length) this.#grow();
    this.#items[(this.#head + this.#size) % this.#items.length] = item;
    this.#size += 1;
    return true;
  }

  shift(): T | undefined {
    if (this.#size === 0) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head] = undefined;
    this.#head = (this.#head + 1) % this.#items.length;
    this.#size -= 1;
    return item;
  }

  peek(): T | undefined {
    return this.#size === 0 ? undefined : this.#items[this.#head];
  }

  #grow(): void {
    const grown = new Array<T | undefined>(Math.min(this.max, this.#items.length * 2));
    for (let i = 0; i < this.#size; i += 1) grown[i] = this.#items[(this.#head + i) % this.#items.length];
    this.#items = grown;
    this.#head = 0;
  }
}
