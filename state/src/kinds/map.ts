import type { Json, MapState } from "@voda/proto/fields";
import { ByteReader, ByteWriter, DecodeError } from "@voda/stdx";
import { RefusedValueError, TooLargeError } from "../errors.ts";
import { type Field, type FieldSchema, type Layer, refuseAssign, type Scope } from "../field.ts";
import {
  describe,
  frozenJson,
  jsonBytes,
  jsonObject,
  readJson,
  readOptionalJson,
  writeJson,
} from "../json.ts";
import { cutEvenly, pieceAloneBytes, pieceBytesMax, piecesBytes } from "../piece.ts";

/** Bytes of UTF-8. */
export const mapKeyBytesMax = 1024;

interface MapSlot {
  /** `undefined`: the key is absent. */
  readonly values: Map<string, Json | undefined>;
  /** Keys of the whole map as the layer sees it; of no meaning in a slot that was decoded. */
  size: number;
}

/** Roughly what a JavaScript map keeps for an entry besides key and value. */
const bytesPerEntry = 64;
/** Between two places where a piece may end, on average. */
const pieceBytes = 16 * 1024;
const utf8 = new TextEncoder();

/** Json values under string keys; each key is written on its own. */
export class MapField implements Field<MapSlot> {
  readonly kind = "map";
  readonly name: string;
  readonly check: FieldSchema["check"];
  readonly #index: number;
  readonly #live = new Map<string, Json>();
  #bytes = 0;
  /**
   * The committed keys in order; `undefined` once one came or went. Sorting waits until somebody iterates.
   */
  #sorted: readonly string[] | undefined = [];
  /**
   * What `save` gave, kept until the next change: most fields of a session do not change between two folds.
   */
  #saved: readonly Uint8Array[] | undefined;

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

  access(scope: Scope): MapState<Json> {
    scope.alive();
    return new Proxy(Object.freeze(new MapHandle(this, scope)), refuseProperties);
  }

  assign(): void {
    refuseAssign(this.name, this.kind);
  }

  /** The newest layer that has the key decides, also when it says that the key is absent. */
  get(layer: Layer, key: string): Json | undefined {
    for (const slot of this.#slots(layer)) if (slot.values.has(key)) return slot.values.get(key);
    return this.#live.get(key);
  }

  /** Kept per layer, because counting would walk the whole map. */
  size(layer: Layer): number {
    for (const slot of this.#slots(layer)) return slot.size;
    return this.#live.size;
  }

  /** The committed keys without those that a layer touched, and of the touched ones those that are there. */
  keys(layer: Layer): readonly string[] {
    const touched = new Set<string>();
    for (const slot of this.#slots(layer)) for (const key of slot.values.keys()) touched.add(key);
    const live = (this.#sorted ??= [...this.#live.keys()].sort());
    if (touched.size === 0) return live;
    const kept = live.filter((key) => !touched.has(key));
    for (const key of touched) if (this.get(layer, key) !== undefined) kept.push(key);
    return kept.sort();
  }

  /** @param value `undefined` deletes the key */
  write(layer: Layer, key: string, value: Json | undefined): void {
    const slot = (layer.slots[this.#index] ??= this.#emptySlot()) as MapSlot;
    const before = this.get(layer, key);
    slot.values.set(key, value);
    slot.size += (value === undefined ? 0 : 1) - (before === undefined ? 0 : 1);
  }

  changed(slot: MapSlot): boolean {
    return this.#changes(slot).length > 0;
  }

  prepare(slot: MapSlot): MapSlot {
    return slot;
  }

  /** In the order of the writes, not of the keys: sorting would cost more than it saves. */
  growth(slot: MapSlot): number {
    const bytesOf = (key: string, value: Json | undefined): number =>
      value === undefined ? 0 : entryBytes(key, value);
    return this.#changes(slot).reduce(
      (sum, [key, value]) => sum + bytesOf(key, value) - bytesOf(key, this.#live.get(key)),
      0,
    );
  }

  encode(slot: MapSlot, writer: ByteWriter): void {
    const changes = this.#changes(slot);
    writer.varint(changes.length);
    for (const [key, value] of changes) {
      writer.text(key);
      writeJson(writer, value);
    }
  }

  /** A key that is written twice is refused: which one counts would be a matter of order. */
  decode(reader: ByteReader): MapSlot {
    const slot = this.#emptySlot();
    for (let left = reader.count(2); left > 0; left -= 1) {
      const key = reader.text();
      if (slot.values.has(key)) throw new DecodeError(`map ${this.name}: a key is written twice`);
      slot.values.set(key, readOptionalJson(reader));
    }
    return slot;
  }

  /**
   * The old values of the keys that are about to change, and of no others: a view costs what changes after
   * it.
   */
  undo(slot: MapSlot): MapSlot {
    const undo = this.#emptySlot();
    for (const key of slot.values.keys()) undo.values.set(key, this.#live.get(key));
    return undo;
  }

  /**
   * Takes from the newer one what the older does not have; the older slot grows in place, for it alone is
   * kept.
   */
  fold(newer: MapSlot, older: MapSlot | undefined): MapSlot {
    if (older === undefined) return newer;
    for (const [key, value] of newer.values) if (!older.values.has(key)) older.values.set(key, value);
    return older;
  }

  apply(slot: MapSlot): void {
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
    for (const key of (this.#sorted ??= [...this.#live.keys()].sort())) {
      const from = writer.length;
      writer.text(key);
      writeJson(writer, this.#live.get(key));
      // The hash decides from 16 KiB on average; the bound decides where hashes do not.
      const ends = endsPiece(key, writer.length - from) || writer.length >= pieceBytesMax * 0.75;
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
      const key = reader.text();
      if (this.#live.has(key)) throw new DecodeError(`map ${this.name}: a key is there twice`);
      this.#put(key, readJson(reader));
    }
  }

  /** From the newest layer to the oldest, those that have a slot. */
  *#slots(layer: Layer): Iterable<MapSlot> {
    for (let at: Layer | undefined = layer; at !== undefined; at = at.next) {
      const slot = at.slots[this.#index];
      if (slot !== undefined) yield slot as MapSlot;
    }
  }

  #emptySlot(): MapSlot {
    return { values: new Map(), size: this.#live.size };
  }

  /** Values are frozen copies, so the same object is the same value; an equal new one counts as a change. */
  #changes(slot: MapSlot): [string, Json | undefined][] {
    return [...slot.values].filter(([key, value]) => this.#live.get(key) !== value);
  }

  /** The one place that changes what is committed: it keeps the books of bytes and of order. */
  #put(key: string, value: Json | undefined): void {
    const old = this.#live.get(key);
    if (old !== undefined) this.#bytes -= entryBytes(key, old);
    if (value !== undefined) this.#bytes += entryBytes(key, value);
    if ((old === undefined) !== (value === undefined)) this.#sorted = undefined;
    if (value === undefined) this.#live.delete(key);
    else this.#live.set(key, value);
  }
}

/** Not `#field`: methods are called on the proxy around the handle. */
const ofField = Symbol("field");
const ofScope = Symbol("scope");

/** What handlers hold; it reads through the layers of its scope. */
class MapHandle implements MapState<Json> {
  readonly [ofField]: MapField;
  readonly [ofScope]: Scope;

  constructor(field: MapField, scope: Scope) {
    this[ofField] = field;
    this[ofScope] = scope;
  }

  get size(): number {
    this[ofScope].alive();
    return this[ofField].size(this[ofScope].layer);
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  get(key: string): Json | undefined {
    this[ofScope].alive();
    return this[ofField].get(this[ofScope].layer, key);
  }

  set(key: string, value: Json): void {
    const { name, check } = this[ofField];
    this[ofScope].writable(name);
    checkKey(name, key);
    const where = `state.${name}[${JSON.stringify(key)}]`;
    const checked = check === undefined ? value : check(value, where);
    this[ofField].write(this[ofScope].layer, key, frozenJson(checked, where));
  }

  update(key: string, change: (old: Json | undefined) => Json): void {
    this.set(key, change(this.get(key)));
  }

  delete(key: string): boolean {
    this[ofScope].writable(this[ofField].name);
    if (!this.has(key)) return false;
    this[ofField].write(this[ofScope].layer, key, undefined);
    return true;
  }

  *keys(): Generator<string> {
    for (const [key] of this) yield key;
  }

  *values(): Generator<Json> {
    for (const [, value] of this) yield value;
  }

  toJSON(): { readonly [key: string]: Json } {
    return jsonObject(this);
  }

  /** What printers of Node show. */
  [Symbol.for("nodejs.util.inspect.custom")](): object {
    return this.toJSON();
  }

  /** Over the keys as they are now; one that is deleted meanwhile is left out. */
  *[Symbol.iterator](): Generator<[string, Json]> {
    this[ofScope].alive();
    for (const key of this[ofField].keys(this[ofScope].layer)) {
      const value = this.get(key);
      if (value !== undefined) yield [key, value];
    }
  }
}

/**
 * `{ ...ctx.state.items }` and `delete ctx.state.items.tea` would find nothing, and say nothing: keys of
 * the map are no properties of the handle, for one may be called `get`. A proxy is the only way to hear of it
 * (about 0.1 microseconds for each method).
 */
const refuseProperties: ProxyHandler<MapHandle> = {
  ownKeys: ({ [ofField]: { name } }) => {
    throw new TypeError(
      `state.${name} is a map: its keys are no properties; take them from state.${name}.toJSON(), or iterate over it`,
    );
  },
  set: ({ [ofField]: { name } }, key) => {
    throw noProperty(name, key, `state.${name}.set(${shown(key)}, value)`);
  },
  deleteProperty: ({ [ofField]: { name } }, key) => {
    throw noProperty(name, key, `state.${name}.delete(${shown(key)})`);
  },
};

const keyCharsShown = 64;
const shown = (key: string | symbol): string => JSON.stringify(String(key).slice(0, keyCharsShown));

const noProperty = (field: string, key: string | symbol, instead: string): TypeError =>
  new TypeError(`state.${field} is a map: ${shown(key)} is no property of it; write ${instead}`);

/** @throws RefusedValueError | TooLargeError */
function checkKey(field: string, key: unknown): void {
  if (typeof key !== "string")
    throw new RefusedValueError(`state.${field}: the key is ${describe(key)}; keys are strings`);
  if (!key.isWellFormed())
    throw new RefusedValueError(`state.${field}: a key has a lone surrogate; use well-formed Unicode`);
  // Three bytes of UTF-8 for one unit of UTF-16 is the most there is.
  if (key.length * 3 <= mapKeyBytesMax) return;
  const { length } = utf8.encode(key);
  if (length > mapKeyBytesMax)
    throw new TooLargeError(
      `state.${field}: key of ${length} bytes exceeds mapKeyBytesMax ${mapKeyBytesMax}`,
    );
}

function entryBytes(key: string, value: Json): number {
  return bytesPerEntry + key.length + jsonBytes(value);
}

/** Once in about `pieceBytes` of entries, by the key alone: FNV-1a with its last bits mixed. */
function endsPiece(key: string, bytes: number): boolean {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i += 1) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return ((hash ^ (hash >>> 13)) >>> 0) * pieceBytes < bytes * 2 ** 32;
}
