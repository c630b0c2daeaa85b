// A yjs update (V1) of splices, written without touching the document: yjs itself only makes updates by
// performing edits, and then nothing can be refused any more. The bytes are those that yjs writes for the
// same splices (src/utils/encoding.js, src/structs/Item.js); a property holds that.
import { ByteWriter } from "@voda/stdx";
import { type Doc, getItem, getState, Item, type Text } from "yjs";
import type { Splice } from "./text-splices.ts";

/** Names the text inside its document; repeated in updates, hence short. */
export const rootName = "t";

interface Id {
  readonly client: number;
  readonly clock: number;
}

/**
 * The character `id`, visible or deleted, stands right before offset `at` of the text. Characters keep their
 * ids for ever.
 */
export interface Bookmark {
  readonly id: Id;
  readonly at: number;
}

/** Of a struct: `ContentString` of yjs, and which of its neighbours are named. */
const contentString = 4;
const hasLeft = 0x80;
const hasRight = 0x40;
/** "The parent is a type with a name, not an item." */
const namedParent = 1;

/**
 * The update, and where the first splice is in the text that it gives: editing mostly goes on near there.
 * @param near where to begin looking; none is the beginning of the text
 */
export function writeUpdate(
  { doc, text }: { readonly doc: Doc; readonly text: Text },
  splices: readonly Splice[],
  origin: number,
  near: Bookmark | undefined,
): { readonly update: Uint8Array; readonly near: Bookmark | undefined } {
  const structs = new ByteWriter();
  const deletions = new Deletions();
  const place = new Place(doc, text, near);
  const firstClock = getState(doc.store, origin);
  let clock = firstClock;
  let inserts = 0;
  let bookmark: Bookmark | undefined;
  for (const { at, removed, inserted } of splices) {
    place.seek(at);
    // Only what is before the first splice has the same offset afterwards.
    const before = at === splices[0]?.at ? place.left() : undefined;
    if (before !== undefined) bookmark = { id: before, at };
    place.remove(removed, deletions);
    if (inserted === "") continue;
    writeInsert(structs, place.left(), place.right(), inserted);
    clock += inserted.length;
    inserts += 1;
  }
  const writer = new ByteWriter();
  writer.varint(inserts === 0 ? 0 : 1);
  if (inserts > 0) {
    writer.varint(inserts);
    writer.varint(origin);
    writer.varint(firstClock);
    writer.raw(structs.peek());
  }
  deletions.write(writer);
  return { update: writer.finish(), near: bookmark };
}

function writeInsert(
  writer: ByteWriter,
  left: Id | undefined,
  right: Id | undefined,
  inserted: string,
): void {
  writer.u8(contentString | (left === undefined ? 0 : hasLeft) | (right === undefined ? 0 : hasRight));
  for (const id of [left, right]) {
    if (id === undefined) continue;
    writer.varint(id.client);
    writer.varint(id.clock);
  }
  if (left === undefined && right === undefined) {
    writer.varint(namedParent);
    writer.text(rootName);
  }
  writer.text(inserted);
}

/** A place between two characters of the text; it moves from item to item as yjs would, and changes none. */
class Place {
  /** The item that holds the next visible character; `null` at the end of the text. */
  #item: Item | null;
  /** The item before it. */
  #before: Item | null;
  /** Offset of the item's first character in the text. */
  #start: number;
  /** Characters of the item that are before this place. */
  #inside = 0;

  constructor(doc: Doc, text: Text, near: Bookmark | undefined) {
    const item = near === undefined ? undefined : getItem(doc.store, near.id);
    // Only what is not in the text any more has no item of its own.
    const known = near !== undefined && item instanceof Item;
    this.#item = known ? item : text._start;
    this.#before = this.#item?.left ?? null;
    const passed = known && !item.deleted ? near.id.clock - item.id.clock + 1 : 0;
    this.#start = known ? near.at - passed : 0;
  }

  /**
   * Behind the character at `at - 1`, and behind the deleted ones that follow: where yjs puts what is
   * inserted there.
   */
  seek(at: number): void {
    while (this.#start > at && this.#before !== null) {
      this.#item = this.#before;
      this.#before = this.#item.left;
      if (!this.#item.deleted) this.#start -= this.#item.length;
    }
    while (this.#item !== null && (this.#item.deleted || this.#start + this.#item.length <= at)) this.#next();
    this.#inside = this.#item === null ? 0 : at - this.#start;
  }

  /** Goes on behind `count` characters and notes them as deleted. */
  remove(count: number, deletions: Deletions): void {
    for (let left = count; left > 0; ) {
      const item = this.#item;
      if (item === null) throw new RangeError(`${left} units more are removed than the text has`);
      const taken = Math.min(left, item.length - this.#inside);
      deletions.add(item.id.client, item.id.clock + this.#inside, taken);
      left -= taken;
      this.seek(this.#start + this.#inside + taken);
    }
  }

  left(): Id | undefined {
    if (this.#item !== null && this.#inside > 0)
      return { client: this.#item.id.client, clock: this.#item.id.clock + this.#inside - 1 };
    return this.#before === null
      ? undefined
      : { client: this.#before.id.client, clock: this.#before.id.clock + this.#before.length - 1 };
  }

  right(): Id | undefined {
    if (this.#item === null) return undefined;
    return { client: this.#item.id.client, clock: this.#item.id.clock + this.#inside };
  }

  #next(): void {
    if (this.#item === null) return;
    if (!this.#item.deleted) this.#start += this.#item.length;
    this.#before = this.#item;
    this.#item = this.#item.right;
  }
}

interface Range {
  readonly clock: number;
  readonly length: number;
}

/** Ids of deleted characters, by client. */
class Deletions {
  readonly #ranges = new Map<number, Range[]>();

  add(client: number, clock: number, length: number): void {
    const ranges = this.#ranges.get(client);
    if (ranges === undefined) this.#ranges.set(client, [{ clock, length }]);
    else ranges.push({ clock, length });
  }

  /**
   * Clients from the highest to the lowest, ranges in their order and as few as possible: yjs writes them so.
   */
  write(writer: ByteWriter): void {
    writer.varint(this.#ranges.size);
    for (const [client, ranges] of [...this.#ranges].sort(([a], [b]) => b - a)) {
      const joined = joinRanges(ranges);
      writer.varint(client);
      writer.varint(joined.length);
      for (const { clock, length } of joined) {
        writer.varint(clock);
        writer.varint(length);
      }
    }
  }
}

function joinRanges(ranges: readonly Range[]): Range[] {
  const joined: Range[] = [];
  for (const range of ranges.toSorted((a, b) => a.clock - b.clock)) {
    const last = joined.at(-1);
    if (last === undefined || last.clock + last.length < range.clock) joined.push(range);
    else joined[joined.length - 1] = { clock: last.clock, length: last.length + range.length };
  }
  return joined;
}
