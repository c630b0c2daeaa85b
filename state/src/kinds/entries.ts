// Values under keys: what maps and sets have in common. A transaction, a view and a delta hold the keys that
// they touch, and pieces of a snapshot end where keys say so.
import type { FieldKind, Json } from "@voda/proto/fields";
import { ByteReader, ByteWriter, DecodeError } from "@voda/stdx";
import { type Field, type FieldSchema, type Layer, refuseAssign, type Scope } from "../field.ts";
import { jsonBytes, readJson, readOptionalJson, writeJson } from "../json.ts";
import { cutEvenly, endsPiece, pieceAloneBytes, pieceBytesMax, piecesBytes } from "../piece.ts";

/** What kind of keys a field has, and which values. */
export interface KeyKind<K> {
  readonly write: (writer: ByteWriter, key: K) => void;
  /** @throws DecodeError */
  readonly read: (reader: ByteReader) => K;
  /** In the order in which readers see them; the array is the caller's own. */
  readonly sort: (keys: K[]) => K[];
  /** Where pieces end depends on it. */
  readonly text: (key: K) => string;
  /** Whether a key may have the value. */
  readonly holds: (value: Json) => boolean;
}

/** What a layer has of the keys that it touched. */
export interface EntriesSlot<K> {
  /** `undefined`: the key is absent. */
  readonly values: Map<K, Json | undefined>;
  /** Keys of the whole field as the layer sees it; of no meaning in a slot that was decoded. */
  size: number;
}

/** Roughly what a JavaScript map keeps for an entry besides key and value. */
const bytesPerEntry = 64;
/** A field of values under keys; each key is written on its own. */
export abstract class EntriesField<K> implements Field<EntriesSlot<K>> {
  abstract readonly kind: FieldKind;
  readonly name: string;
  readonly check: FieldSchema["check"];
  readonly #keys: KeyKind<K>;
  readonly #index: number;
  readonly #live = new Map<K, Json>();
  #bytes = 0;
  /**
   * The committed keys in order; `undefined` once one came or went. Sorting waits until somebody iterates.
   */
  #sorted: readonly K[] | undefined = [];
  /**
   * What `save` gave, kept until the next change: most fields of a session do not change between two folds.
   */
  #saved: readonly Uint8Array[] | undefined;

  constructor(keys: KeyKind<K>, name: string, index: number, { check }: FieldSchema) {
    this.#keys = keys;
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

  abstract access(scope: Scope): unknown;

  assign(): void {
    refuseAssign(this.name, this.kind);
  }

  /** The newest layer that has the key decides, also when it says that the key is absent. */
  get(layer: Layer, key: K): Json | undefined {
    for (const slot of this.#slots(layer)) if (slot.values.has(key)) return slot.values.get(key);
    return this.#live.get(key);
  }

  /** Kept per layer, because counting would walk the whole map. */
  size(layer: Layer): number {
    for (const slot of this.#slots(layer)) return slot.size;
    return this.#live.size;
  }

  /** The committed keys without those that a layer touched, and of the touched ones those that are there. */
  keys(layer: Layer): readonly K[] {
    const touched = new Set<K>();
    for (const slot of this.#slots(layer)) for (const key of slot.values.keys()) touched.add(key);
    const live = (this.#sorted ??= this.#keys.sort([...this.#live.keys()]));
    if (touched.size === 0) return live;
    const kept = live.filter((key) => !touched.has(key));
    for (const key of touched) if (this.get(layer, key) !== undefined) kept.push(key);
    return this.#keys.sort(kept);
  }

  /** @param value `undefined` deletes the key */
  write(layer: Layer, key: K, value: Json | undefined): void {
    const slot = (layer.slots[this.#index] ??= this.#emptySlot()) as EntriesSlot<K>;
    const before = this.get(layer, key);
    slot.values.set(key, value);
    slot.size += (value === undefined ? 0 : 1) - (before === undefined ? 0 : 1);
  }

  changed(slot: EntriesSlot<K>): boolean {
    return this.#changes(slot).length > 0;
  }

  prepare(slot: EntriesSlot<K>): EntriesSlot<K> {
    return slot;
  }

  /** In the order of the writes, not of the keys: sorting would cost more than it saves. */
  growth(slot: EntriesSlot<K>): number {
    const bytesOf = (key: K, value: Json | undefined): number =>
      value === undefined ? 0 : this.#entryBytes(key, value);
    return this.#changes(slot).reduce(
      (sum, [key, value]) => sum + bytesOf(key, value) - bytesOf(key, this.#live.get(key)),
      0,
    );
  }

  encode(slot: EntriesSlot<K>, writer: ByteWriter): void {
    const changes = this.#changes(slot);
    writer.varint(changes.length);
    for (const [key, value] of changes) {
      this.#keys.write(writer, key);
      writeJson(writer, value);
    }
  }

  /** A key that is written twice is refused: which one counts would be a matter of order. */
  decode(reader: ByteReader): EntriesSlot<K> {
    const slot = this.#emptySlot();
    for (let left = reader.count(2); left > 0; left -= 1) {
      const key = this.#keys.read(reader);
      if (slot.values.has(key)) throw new DecodeError(`${this.kind} ${this.name}: a key is written twice`);
      slot.values.set(key, this.#checked(readOptionalJson(reader)));
    }
    return slot;
  }

  /**
   * The old values of the keys that are about to change, and of no others: a view costs what changes after
   * it.
   */
  undo(slot: EntriesSlot<K>): EntriesSlot<K> {
    const undo = this.#emptySlot();
    for (const key of slot.values.keys()) undo.values.set(key, this.#live.get(key));
    return undo;
  }

  /**
   * Takes from the newer one what the older does not have; the older slot grows in place, for it alone is
   * kept.
   */
  fold(newer: EntriesSlot<K>, older: EntriesSlot<K> | undefined): EntriesSlot<K> {
    if (older === undefined) return newer;
    for (const [key, value] of newer.values) if (!older.values.has(key)) older.values.set(key, value);
    return older;
  }

  apply(slot: EntriesSlot<K>): void {
    for (const [key, value] of slot.values) this.#put(key, value);
    this.#saved = undefined;
  }

  /**
   * Ends a piece where a key's hash says so: an entry that comes or goes leaves the other pieces as they
   * were.
   */
  save(): readonly Uint8Array[] {
    if (this.#saved !== undefined) return this.#saved;
    const pieces: Uint8Array[] = [];
    const writer = new ByteWriter();
    for (const key of (this.#sorted ??= this.#keys.sort([...this.#live.keys()]))) {
      const from = writer.length;
      this.#keys.write(writer, key);
      writeJson(writer, this.#live.get(key));
      // The hash decides from 16 KiB on average; the bound decides where hashes do not.
      const ends =
        endsPiece(this.#keys.text(key), writer.length - from) || writer.length >= pieceBytesMax * 0.75;
      const full = ends && writer.length >= pieceAloneBytes;
      if (full) pieces.push(...cutEvenly(writer.finish()));
    }
    if (writer.length > 0) pieces.push(writer.finish());
    this.#saved = pieces;
    return pieces;
  }

  /** Entries come in the order of their keys; a key that comes twice is damage behind a right checksum. */
  load(bytes: Uint8Array): void {
    const reader = new ByteReader(bytes);
    while (reader.left > 0) {
      const key = this.#keys.read(reader);
      if (this.#live.has(key)) throw new DecodeError(`${this.kind} ${this.name}: a key is there twice`);
      this.#put(key, this.#checked(readJson(reader)));
    }
  }

  /** From the newest layer to the oldest, those that have a slot. */
  *#slots(layer: Layer): Iterable<EntriesSlot<K>> {
    for (let at: Layer | undefined = layer; at !== undefined; at = at.next) {
      const slot = at.slots[this.#index];
      if (slot !== undefined) yield slot as EntriesSlot<K>;
    }
  }

  #emptySlot(): EntriesSlot<K> {
    return { values: new Map(), size: this.#live.size };
  }

  /** Values are frozen copies, so the same object is the same value; an equal new one counts as a change. */
  #changes(slot: EntriesSlot<K>): [K, Json | undefined][] {
    return [...slot.values].filter(([key, value]) => this.#live.get(key) !== value);
  }

  /** A value that is not of the kind would be handed out as one: it is damage behind a right checksum. */
  #checked<V extends Json | undefined>(value: V): V {
    if (value === undefined || this.#keys.holds(value)) return value;
    throw new DecodeError(`${this.kind} ${this.name}: a key has a value that no writer gives it`);
  }

  /** A measure, not a count of bytes of UTF-8: those would have to be made to be counted. */
  #entryBytes(key: K, value: Json): number {
    return bytesPerEntry + this.#keys.text(key).length + jsonBytes(value);
  }

  /** The one place that changes what is committed: it keeps the books of bytes and of order. */
  #put(key: K, value: Json | undefined): void {
    const old = this.#live.get(key);
    if (old !== undefined) this.#bytes -= this.#entryBytes(key, old);
    if (value !== undefined) this.#bytes += this.#entryBytes(key, value);
    if ((old === undefined) !== (value === undefined)) this.#sorted = undefined;
    if (value === undefined) this.#live.delete(key);
    else this.#live.set(key, value);
  }
}
