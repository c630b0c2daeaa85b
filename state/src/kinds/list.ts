import type { Json, ListState } from "@voda/proto/fields";
import { assert, ByteReader, ByteWriter, DecodeError } from "@voda/stdx";
import { RefusedValueError } from "../errors.ts";
import { type Field, type FieldSchema, findSlot, refuseAssign, refuseSet, type Scope } from "../field.ts";
import { frozenJson, givenText, jsonBytes, readJson, writeJson } from "../json.ts";
import { cutEvenly, endsPiece, pieceAloneBytes, pieceBytesMax, piecesBytes } from "../piece.ts";
import { between, isOrder, spread } from "./list-order.ts";

/** One item; it is replaced, not changed. */
interface Item {
  /** Never used again for another item: an item that moves is the same one. */
  readonly id: number;
  readonly order: string;
  readonly value: Json;
}

interface ListSlot {
  /** In their order. */
  items: Item[];
  /** The next id. */
  next: number;
  /** By id, what the transaction has made of items: `undefined` where one was not there, or is no more. */
  readonly touched: Map<number, { readonly before: Item | undefined; readonly now: Item | undefined }>;
}

/** What an operation says of an item; 0 removes it. */
const says = { order: 1, value: 2 } as const;
/** Roughly what an item takes besides its key and value. */
const bytesPerItem = 64;
/** Keys grow by a character with some six insertions at one place. */
const orderLengthMax = 32;

/**
 * Json values in an order of the author's. Operations name items, not their indexes, and give each its place:
 * so they mean the same whatever else was written before them.
 */
export class ListField implements Field<ListSlot> {
  readonly kind = "list";
  readonly name: string;
  readonly check: FieldSchema["check"];
  readonly #index: number;
  /** What is committed. Its items are never changed in place: views and transactions begin with them. */
  #committed: ListSlot = slotOf([], 1);
  /** The committed items by their ids, from the first record on that names one of them. */
  #known: Map<number, Item> | undefined;
  #bytes = 0;
  #saved: readonly Uint8Array[] | undefined = [];

  constructor(name: string, index: number, { check }: FieldSchema) {
    this.name = name;
    this.#index = index;
    this.check = check;
  }

  get bytes(): number {
    return this.#bytes + piecesBytes(this.#saved);
  }

  get valueBytes(): number {
    return this.#bytes;
  }

  access(scope: Scope): ListState<Json> {
    scope.alive();
    return Object.freeze(new ListHandle(this, scope));
  }

  assign(): void {
    refuseAssign(this.name, this.kind);
  }

  /** The items that a scope sees. */
  seen(scope: Scope): readonly Item[] {
    scope.alive();
    return ((findSlot(scope.layer, this.#index) as ListSlot | undefined) ?? this.#committed).items;
  }

  /** What the scope's transaction may write to. */
  slot({ layer }: Scope): ListSlot {
    const { items, next } = this.#committed;
    return (layer.slots[this.#index] ??= slotOf([...items], next)) as ListSlot;
  }

  /** Many writes may come to nothing, such as an item that came and went. */
  changed(slot: ListSlot): boolean {
    return changesOf(slot).length > 0;
  }

  prepare(slot: ListSlot): ListSlot {
    return slot;
  }

  /** Of the items that change, and of no others: it is asked for at each commit of a large session. */
  growth(slot: ListSlot): number {
    return changesOf(slot).reduce((sum, [, { before, now }]) => sum + itemBytes(now) - itemBytes(before), 0);
  }

  /**
   * The next id comes first, also where no item is new: one that came and went in the transaction has had its
   * id too.
   */
  encode(slot: ListSlot, writer: ByteWriter): void {
    const changes = changesOf(slot);
    writer.varint(slot.next);
    writer.varint(changes.length);
    for (const [id, { before, now }] of changes) {
      writer.varint(id);
      const isMoved = now !== undefined && now.order !== before?.order;
      const isSet = now !== undefined && now.value !== before?.value;
      writer.u8((isMoved ? says.order : 0) + (isSet ? says.value : 0));
      if (isMoved) writer.text(now.order);
      if (isSet) writeJson(writer, now.value);
    }
  }

  /**
   * An item that is named twice is refused, as one that has no key or value and never had. Items that are not
   * named are not looked at: a record of one takes no longer in a list of many.
   */
  decode(reader: ByteReader): ListSlot {
    const { items, next } = this.#committed;
    const slot = slotOf([...items], reader.varint());
    for (let left = reader.count(2); left > 0; left -= 1) {
      const id = reader.varint();
      const before = id < next ? this.#items().get(id) : undefined;
      if (slot.touched.has(id)) this.#damaged(`item ${id} is written twice`);
      slot.touched.set(id, { before, now: this.#readItem(reader, id, before) });
    }
    const touched = [...slot.touched.values()];
    for (const { before } of touched) if (before !== undefined) slot.items.splice(placeOf(slot, before), 1);
    for (const { now } of touched) if (now !== undefined) this.#place(slot, now);
    if (slot.next < next) this.#damagedItems();
    return slot;
  }

  #items(): Map<number, Item> {
    return (this.#known ??= new Map(this.#committed.items.map((item) => [item.id, item])));
  }

  #place(slot: ListSlot, item: Item): void {
    const at = placeOf(slot, item);
    if (!isId(item, slot) || slot.items[at]?.order === item.order) this.#damagedItems();
    slot.items.splice(at, 0, item);
  }

  /** A version of the items is never written to again: keeping it costs nothing. */
  undo(): ListSlot {
    return this.#committed;
  }

  /** The older one is what the older view has to see. */
  fold(newer: ListSlot, older: ListSlot | undefined): ListSlot {
    return older ?? newer;
  }

  /** Items of the slot become the committed ones: its transaction is over, and nobody else writes to it. */
  apply(slot: ListSlot): void {
    this.#bytes += this.growth(slot);
    this.#committed = slotOf(slot.items, slot.next);
    for (const [id, { now }] of this.#known === undefined ? [] : slot.touched)
      if (now === undefined) this.#known?.delete(id);
      else this.#known?.set(id, now);
    this.#saved = undefined;
  }

  /** In their order; a piece ends where the hash of an item's id says so. After them the next id. */
  save(): readonly Uint8Array[] {
    if (this.#saved !== undefined) return this.#saved;
    const { items, next } = this.#committed;
    const pieces: Uint8Array[] = [];
    const writer = new ByteWriter();
    for (const { id, order, value } of items) {
      const from = writer.length;
      writer.varint(id);
      writer.text(order);
      writeJson(writer, value);
      const ends = endsPiece(String(id), writer.length - from) || writer.length >= pieceBytesMax * 0.75;
      if (ends && writer.length >= pieceAloneBytes) pieces.push(...cutEvenly(writer.finish()));
    }
    writer.varint(0);
    writer.varint(next);
    pieces.push(...cutEvenly(writer.finish()));
    this.#saved = pieces;
    return pieces;
  }

  /** Items come in their order, and the next id after them: it is there also when all items have gone. */
  load(bytes: Uint8Array): void {
    const reader = new ByteReader(bytes);
    const items: Item[] = [];
    for (let id = reader.varint(); id !== 0; id = reader.varint())
      items.push({ id, order: this.#readOrder(reader), value: readJson(reader) });
    const slot = slotOf(items, reader.varint());
    reader.end();
    if (new Set(items.map(({ id }) => id)).size < items.length) this.#damaged("an item is there twice");
    this.#checkItems(slot);
    this.#committed = slot;
    this.#known = undefined;
    this.#bytes = items.reduce((sum, item) => sum + itemBytes(item), 0);
    this.#saved = undefined;
  }

  /** What is not said of an item stays as it was; of a new one all is said. */
  #readItem(reader: ByteReader, id: number, before: Item | undefined): Item | undefined {
    const said = reader.u8();
    if (said > says.order + says.value) this.#damaged(`unknown operation ${said}`);
    if (said === 0) return before === undefined ? this.#damaged(`item ${id} is not there`) : undefined;
    const order = (said & says.order) === 0 ? before?.order : this.#readOrder(reader);
    const value = (said & says.value) === 0 ? before?.value : readJson(reader);
    if (order === undefined || value === undefined) this.#damaged(`item ${id} is not there`);
    return { id, order, value };
  }

  #readOrder(reader: ByteReader): string {
    const order = reader.text();
    return isOrder(order) ? order : this.#damaged("an item has no place");
  }

  /** One place for two items would leave none between them; an id that is given again would be two items. */
  #checkItems(slot: ListSlot): void {
    const isWrong = (item: Item, i: number): boolean =>
      !isId(item, slot) || item.order <= (slot.items[i - 1]?.order ?? "");
    if (slot.next < this.#committed.next || slot.items.some(isWrong)) this.#damagedItems();
  }

  #damagedItems(): never {
    return this.#damaged("ids or places that no writer gives");
  }

  #damaged(what: string): never {
    throw new DecodeError(`list ${this.name}: ${what}`);
  }
}

const slotOf = (items: Item[], next: number): ListSlot => ({ items, next, touched: new Map() });

/** What comes and goes in one transaction is no change, nor is what is as it was. */
const changesOf = ({ touched }: ListSlot) =>
  [...touched].filter(([, { before, now }]) => before?.order !== now?.order || before?.value !== now?.value);

const isId = ({ id }: Item, { next }: ListSlot): boolean => id > 0 && id < next;

/** The index of the first item that is not before it. */
function placeOf({ items }: ListSlot, { order }: Item): number {
  let [from, to] = [0, items.length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((items[middle]?.order ?? "") < order) from = middle + 1;
    else to = middle;
  }
  return from;
}

function itemBytes(item: Item | undefined): number {
  return item === undefined ? 0 : bytesPerItem + item.order.length + jsonBytes(item.value);
}

/** Of an item that was taken out before, or of a new one. */
function put(slot: ListSlot, at: number, item: Item): void {
  slot.items.splice(at, 0, item);
  touch(slot, item.id, undefined, item);
}

/** With its place and its value as they are: whoever moves or replaces it puts it back. */
function take(slot: ListSlot, at: number): Item {
  const [item] = slot.items.splice(at, 1);
  assert(item !== undefined, "the index was looked at");
  touch(slot, item.id, item, undefined);
  return item;
}

/** What an item was before the transaction is what it was when it was first touched. */
function touch({ touched }: ListSlot, id: number, before: Item | undefined, now: Item | undefined): void {
  const known = touched.get(id);
  touched.set(id, { before: known === undefined ? before : known.before, now });
}

/** A key for the index; where keys are too long to go on, those around it are made anew. */
function placeAt(slot: ListSlot, at: number): string {
  const order = between(slot.items[at - 1]?.order, slot.items[at]?.order);
  if (order.length <= orderLengthMax) return order;
  respace(slot, at);
  return between(slot.items[at - 1]?.order, slot.items[at]?.order);
}

/** As few items as there must be: each of them is written. */
function respace(slot: ListSlot, at: number): void {
  const { items } = slot;
  for (let reach = 16; ; reach *= 2) {
    const from = Math.max(0, at - reach);
    const to = Math.min(items.length, at + reach);
    const orders = spread(items[from - 1]?.order, items[to]?.order, to - from);
    const isAll = from === 0 && to === items.length;
    if (!isAll && orders.some(({ length }) => length > orderLengthMax / 2)) continue;
    for (const [i, order] of orders.entries()) put(slot, from + i, { ...take(slot, from + i), order });
    return;
  }
}

/** What handlers hold; it reads through the layers of its scope. */
class ListHandle implements ListState<Json> {
  readonly #field: ListField;
  readonly #scope: Scope;

  constructor(field: ListField, scope: Scope) {
    this.#field = field;
    this.#scope = scope;
  }

  /** Items that are there: deleted ones leave nothing behind. */
  get length(): number {
    return this.#seen.length;
  }

  set length(_: unknown) {
    const { name } = this.#field;
    refuseSet(name, "length", `call state.${name}.append(value), or .delete(at)`);
  }

  at(index: number): Json | undefined {
    this.#checkInteger("at", index);
    return this.#seen.at(index)?.value;
  }

  /** A copy: the items of a view are not the reader's to change. */
  slice(from?: number, to?: number): Json[] {
    for (const given of [from, to]) if (given !== undefined) this.#checkInteger("slice", given);
    return this.#seen.slice(from, to).map(({ value }) => value);
  }

  toJSON(): readonly Json[] {
    return this.slice();
  }

  /** What printers of Node show. */
  [Symbol.for("nodejs.util.inspect.custom")](): object {
    return this.toJSON();
  }

  /** Over the items as they are now, whatever becomes of them meanwhile. */
  *[Symbol.iterator](): Generator<Json> {
    for (const value of this.slice()) {
      this.#scope.alive();
      yield value;
    }
  }

  /** An insertion like others: its key counts the last one up. */
  append(value: Json): void {
    this.insert(this.length, value);
  }

  /** Index and value are looked at first, so a refused write leaves the transaction as it was. */
  insert(at: number, value: Json): void {
    this.#checkIndex("insert", at, this.length);
    const checked = this.#checked(at, value);
    const slot = this.#field.slot(this.#scope);
    put(slot, at, { id: slot.next, order: placeAt(slot, at), value: checked });
    slot.next += 1;
  }

  /** The item stays the same one, at its place. */
  set(at: number, value: Json): void {
    this.#checkIndex("set", at, this.length - 1);
    const checked = this.#checked(at, value);
    const slot = this.#field.slot(this.#scope);
    put(slot, at, { ...take(slot, at), value: checked });
  }

  /** Writes a key of a place, and not the value. */
  move(from: number, to: number): void {
    this.#checkIndex("move", from, this.length - 1);
    this.#checkIndex("move", to, this.length - 1, { before: `${from}, `, name: "to" });
    if (from === to) return;
    const slot = this.#field.slot(this.#scope);
    const item = take(slot, from);
    put(slot, to, { ...item, order: placeAt(slot, to) });
  }

  /** Its id is not given again. */
  delete(at: number): Json {
    this.#checkIndex("delete", at, this.length - 1);
    return take(this.#field.slot(this.#scope), at).value;
  }

  get #seen(): readonly Item[] {
    return this.#field.seen(this.#scope);
  }

  #checked(at: number, value: Json): Json {
    const { name, check } = this.#field;
    const where = `state.${name}[${at}]`;
    return frozenJson(check === undefined ? value : check(value, where), where);
  }

  /** Of a write: an index is never taken for the nearest one, which is another item. */
  #checkIndex(method: string, at: number, max: number, { before, name } = { before: "", name: "it" }): void {
    this.#scope.writable(this.#field.name);
    this.#checkInteger(method, at);
    if (at >= 0 && at <= max) return;
    const why = max < 0 ? "the list is empty" : `${name} must be 0 to ${max}`;
    this.#refuse(`${method}(${before}${at})`, why);
  }

  #checkInteger(method: string, given: unknown): void {
    if (!Number.isSafeInteger(given)) this.#refuse(`${method}(${givenText(given)})`, "it must be an integer");
  }

  #refuse(call: string, why: string): never {
    throw new RefusedValueError(`state.${this.#field.name}.${call}: ${why}`);
  }
}
