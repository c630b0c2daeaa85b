import type { Flag } from "@voda/proto/fields";
import { type ByteReader, type ByteWriter, DecodeError } from "@voda/stdx";
import { type Field, findSlot, refuseAssign, refuseSet, type Scope } from "../field.ts";

interface FlagSlot {
  readonly isEnabled: boolean;
}

/**
 * A yes or no. Its operation says what it becomes: enabling what another writer enabled too changes nothing.
 */
export class FlagField implements Field<FlagSlot> {
  readonly kind = "flag";
  readonly bytes = 8;
  readonly valueBytes = 8;
  readonly name: string;
  readonly index: number;
  isEnabled = false;

  constructor(name: string, index: number) {
    this.name = name;
    this.index = index;
  }

  access(scope: Scope): Flag {
    scope.alive();
    return Object.freeze(new FlagHandle(this, scope));
  }

  assign(): void {
    refuseAssign(this.name, this.kind);
  }

  /** What was enabled and disabled again is no change, and no delta. */
  changed(slot: FlagSlot): boolean {
    return slot.isEnabled !== this.isEnabled;
  }

  prepare(slot: FlagSlot): FlagSlot {
    return slot;
  }

  growth(): number {
    return 0;
  }

  encode(slot: FlagSlot, writer: ByteWriter): void {
    writer.u8(slot.isEnabled ? 1 : 0);
  }

  /** Other bytes than 0 and 1 are damage, or the operation of a newer writer: neither is guessed. */
  decode(reader: ByteReader): FlagSlot {
    const byte = reader.u8();
    if (byte > 1) throw new DecodeError(`flag ${this.name}: unknown operation ${byte}`);
    return { isEnabled: byte === 1 };
  }

  undo(): FlagSlot {
    return { isEnabled: this.isEnabled };
  }

  /** The older one is what the older view has to see. */
  fold(newer: FlagSlot, older: FlagSlot | undefined): FlagSlot {
    return older ?? newer;
  }

  apply(slot: FlagSlot): void {
    this.isEnabled = slot.isEnabled;
  }

  /** "No" is what an empty session has, so it takes no bytes. */
  save(): readonly Uint8Array[] {
    return this.isEnabled ? [Uint8Array.of(1)] : [];
  }

  load(bytes: Uint8Array): void {
    if (bytes.length !== 1 || bytes[0] !== 1) throw new DecodeError(`flag ${this.name}: not a stored flag`);
    this.isEnabled = true;
  }
}

/** What handlers hold; it reads through the layers of its scope. */
class FlagHandle implements Flag {
  readonly #field: FlagField;
  readonly #scope: Scope;

  constructor(field: FlagField, scope: Scope) {
    this.#field = field;
    this.#scope = scope;
  }

  get value(): boolean {
    this.#scope.alive();
    const slot = findSlot(this.#scope.layer, this.#field.index) as FlagSlot | undefined;
    return slot?.isEnabled ?? this.#field.isEnabled;
  }

  set value(_: unknown) {
    const { name } = this.#field;
    refuseSet(name, "value", `call state.${name}.enable() or .disable()`);
  }

  toJSON(): boolean {
    return this.value;
  }

  /** In a template it is its value. */
  [Symbol.toPrimitive](): boolean {
    return this.value;
  }

  enable(): void {
    this.#put(true);
  }

  disable(): void {
    this.#put(false);
  }

  #put(isEnabled: boolean): void {
    const { name, index } = this.#field;
    this.#scope.writable(name);
    this.#scope.layer.slots[index] = { isEnabled };
  }
}
