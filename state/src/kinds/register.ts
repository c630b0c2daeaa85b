import type { Json } from "@voda/proto/fields";
import { ByteReader, ByteWriter } from "@voda/stdx";
import { type Field, type FieldSchema, findSlot, type Scope } from "../field.ts";
import { frozenJson, jsonBytes, readJson, writeJson } from "../json.ts";
import { cutEvery, pieceBytesMax, piecesBytes } from "../piece.ts";

interface RegisterSlot {
  /** `undefined`: never written. */
  readonly value: Json | undefined;
}

/** One Json value, replaced as a whole. The initial value is the schema's until the first write. */
export class RegisterField implements Field<RegisterSlot> {
  readonly kind = "register";
  readonly name: string;
  readonly #index: number;
  readonly #initial: Json;
  readonly #check: FieldSchema["check"];
  /** Never the initial value: a later revision may have another one, and what was not written follows it. */
  #value: Json | undefined;
  #bytes = 0;
  /** What `save` gave, until the next write: a fold encodes only what has changed. */
  #saved: readonly Uint8Array[] | undefined;

  constructor(name: string, index: number, { initial = null, check }: FieldSchema) {
    this.name = name;
    this.#check = check;
    this.#index = index;
    this.#initial = frozenJson(initial, `initial value of state.${name}`);
  }

  get bytes(): number {
    return this.#bytes + piecesBytes(this.#saved);
  }

  get valueBytes(): number {
    return this.#bytes;
  }

  access(scope: Scope): Json {
    scope.alive();
    const slot = findSlot(scope.layer, this.#index) as RegisterSlot | undefined;
    const value = slot === undefined ? this.#value : slot.value;
    return value === undefined ? this.#initial : value;
  }

  /** The value is checked and copied first, so a refused one leaves the transaction as it was. */
  assign(scope: Scope, value: unknown): void {
    scope.writable(this.name);
    const checked = this.#check === undefined ? value : this.#check(value, `state.${this.name}`);
    scope.layer.slots[this.#index] = { value: frozenJson(checked, `state.${this.name}`) };
  }

  /** Values are frozen copies: only writing the very object that is there changes nothing. */
  changed(slot: RegisterSlot): boolean {
    return slot.value !== this.#value;
  }

  /** The slot is what travels: there is nothing to derive from the edits, as a text has to. */
  prepare(slot: RegisterSlot): RegisterSlot {
    return slot;
  }

  growth({ value }: RegisterSlot): number {
    return (value === undefined ? 0 : jsonBytes(value)) - this.#bytes;
  }

  encode(slot: RegisterSlot, writer: ByteWriter): void {
    writeJson(writer, slot.value);
  }

  decode(reader: ByteReader): RegisterSlot {
    return { value: readJson(reader) };
  }

  /**
   * `undefined` for one that was never written: a view of that moment sees the initial value, whatever it is
   * by then.
   */
  undo(): RegisterSlot {
    return { value: this.#value };
  }

  /**
   * An older view must not see what was replaced after it: the value before both changes is the older one's.
   */
  fold(newer: RegisterSlot, older: RegisterSlot | undefined): RegisterSlot {
    return older ?? newer;
  }

  apply(slot: RegisterSlot): void {
    this.#value = slot.value;
    this.#bytes = slot.value === undefined ? 0 : jsonBytes(slot.value);
    this.#saved = undefined;
  }

  /** Nothing for one that was never written: then a snapshot says as little of it as the deltas did. */
  save(): readonly Uint8Array[] {
    if (this.#value === undefined) return [];
    if (this.#saved === undefined) {
      const writer = new ByteWriter();
      writeJson(writer, this.#value);
      this.#saved = cutEvery(writer.finish(), pieceBytesMax);
    }
    return this.#saved;
  }

  load(bytes: Uint8Array): void {
    const reader = new ByteReader(bytes);
    const value = readJson(reader);
    reader.end();
    this.apply({ value });
  }
}
