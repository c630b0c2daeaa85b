// The edits of one transaction as splices of the text that it began with: in order, apart from each other, so
// that their number and what they insert are the least that says what changed.

/** Replaces `removed` units at offset `at` of the text before the transaction by `inserted`. */
export interface Splice {
  readonly at: number;
  readonly removed: number;
  readonly inserted: string;
}

/** Splices that grow edit by edit; each edit's offset counts in the text as it is by then. */
export class Splices {
  readonly #list: Splice[] = [];
  /**
   * Where the last edit was: the first splice that may be at or after it, and what the ones before it add to
   * offsets.
   */
  #index = 0;
  #shift = 0;

  get list(): readonly Splice[] {
    return this.#list;
  }

  /**
   * Editing mostly goes on where it was, so the search begins there; splices that the edit touches become one
   * with it.
   */
  add(at: number, removed: number, inserted: string): void {
    this.#seek(at);
    const end = at + removed;
    let splice: Splice = { at: at - this.#shift, removed, inserted };
    let touched = 0;
    let shift = this.#shift;
    for (; ; touched += 1) {
      const next = this.#list[this.#index + touched];
      if (next === undefined || next.at + shift > end) break;
      splice = join(splice, next, at, end, shift);
      shift += growth(next);
    }
    const isNothing = splice.removed === 0 && splice.inserted === "";
    this.#list.splice(this.#index, touched, ...(isNothing ? [] : [splice]));
  }

  /** To the first splice that ends at or after `at`. */
  #seek(at: number): void {
    for (let before = this.#list[this.#index - 1]; before !== undefined; ) {
      const shift = this.#shift - growth(before);
      if (before.at + shift + before.inserted.length < at) break;
      this.#index -= 1;
      this.#shift = shift;
      before = this.#list[this.#index - 1];
    }
    for (let next = this.#list[this.#index]; next !== undefined; next = this.#list[this.#index]) {
      if (next.at + this.#shift + next.inserted.length >= at) break;
      this.#shift += growth(next);
      this.#index += 1;
    }
  }
}

const growth = ({ removed, inserted }: Splice): number => inserted.length - removed;

/**
 * `splice`, an edit of [at, end) that may have taken in others, together with the next one that it touches.
 * @param shift what the splices before `next` add to offsets
 */
function join(splice: Splice, next: Splice, at: number, end: number, shift: number): Splice {
  const from = next.at + shift;
  const to = from + next.inserted.length;
  const first = Math.min(splice.at, next.at);
  // Units of the old text that the edit removed behind `next` are counted in `splice.removed` so far, with
  // all others.
  const kept = next.inserted.slice(0, Math.max(0, at - from));
  const rest = next.inserted.slice(Math.min(next.inserted.length, Math.max(0, end - from)));
  const overlap = Math.max(0, Math.min(end, to) - Math.max(at, from));
  return {
    at: first,
    removed: splice.removed - overlap + next.removed,
    inserted: kept + splice.inserted + rest,
  };
}
