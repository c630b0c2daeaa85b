import type { Counter } from "@voda/proto/fields";
import { ByteReader, ByteWriter, DecodeError } from "@voda/stdx";
import { RefusedValueError } from "../errors.ts";
import { type Field, findSlot, refuseAssign, refuseSet, type Scope } from "../field.ts";
import { givenText, readJson, writeJson } from "../json.ts";

interface CounterSlot {
  /**
   * The sum as the layer sees it, not the amount: so views need no arithmetic, and an undo slot is the old
   * sum.
   */
  value: number;
}

/** An integer that is added to. Deltas carry the amount, not the sum. */
export class CounterField implements Field<CounterSlot> {
  readonly kind = "counter";
  readonly bytes = 8;
  readonly valueBytes = 8;
  readonly name: string;
  readonly index: number;
  value = 0;

  constructor(name: string, index: number) {
    this.name = name;
    this.index = index;
  }

  access(scope: Scope): Counter {
    scope.alive();
    return Object.freeze(new CounterHandle(this, scope));
  }

  assign(): void {
    refuseAssign(this.name, this.kind);
  }

  /** What was added and taken away again is no change, and no delta. */
  changed(slot: CounterSlot): boolean {
    return slot.value !== this.value;
  }

  prepare(slot: CounterSlot): CounterSlot {
    return slot;
  }

  /** Of eight bytes whatever the sum is: a session at its bound of bytes may still count. */
  growth(): number {
    return 0;
  }

  encode(slot: CounterSlot, writer: ByteWriter): void {
    writeJson(writer, slot.value - this.value);
  }

  /**
   * The amount lands on the committed sum; one that leaves the integers can only come from damage or from a
   * bug.
   */
  decode(reader: ByteReader): CounterSlot {
    const value = this.value + integer(reader);
    if (!Number.isSafeInteger(value)) throw new DecodeError(`counter ${this.name} would be ${value}`);
    return { value };
  }

  undo(): CounterSlot {
    return { value: this.value };
  }

  /** Both say what the sum was; the older one is what the older view has to see. */
  fold(newer: CounterSlot, older: CounterSlot | undefined): CounterSlot {
    return older ?? newer;
  }

  apply(slot: CounterSlot): void {
    this.value = slot.value;
  }

  /** 0 is what an empty session has, so it takes no bytes. */
  save(): readonly Uint8Array[] {
    if (this.value === 0) return [];
    const writer = new ByteWriter(16);
    writeJson(writer, this.value);
    return [writer.finish()];
  }

  load(bytes: Uint8Array): void {
    const reader = new ByteReader(bytes);
    const value = integer(reader);
    reader.end();
    this.value = value;
  }
}

/** What handlers hold; it reads through the layer of its scope. */
class CounterHandle implements Counter {
  readonly #field: CounterField;
  readonly #scope: Scope;

  constructor(field: CounterField, scope: Scope) {
    this.#field = field;
    this.#scope = scope;
  }

  get value(): number {
    this.#scope.alive();
    return (
      (findSlot(this.#scope.layer, this.#field.index) as CounterSlot | undefined)?.value ?? this.#field.value
    );
  }

  set value(_: unknown) {
    const { name } = this.#field;
    refuseSet(name, "value", `add to it, as in state.${name}.add(1)`);
  }

  toJSON(): number {
    return this.value;
  }

  /** In a template it is its value. */
  [Symbol.toPrimitive](): number {
    return this.value;
  }

  /** Not a default: an input that a caller forgot would count as 1. */
  add(...args: [amount?: number]): number {
    const amount: unknown = args.length === 0 ? 1 : args[0];
    const { name, index } = this.#field;
    this.#scope.writable(name);
    if (!isInteger(amount)) {
      const must = amount instanceof Promise ? "await it" : "the amount must be an integer within 2^53";
      throw new RefusedValueError(`state.${name}.add(${givenText(amount)}): ${must}`);
    }
    const value = this.value + amount;
    // The amount of the whole transaction goes into the delta, so it has the same bound as the sum.
    if (!Number.isSafeInteger(value) || !Number.isSafeInteger(value - this.#field.value)) {
      throw new RefusedValueError(
        `state.${name}.add(${amount}): the sum ${value}, or what this transaction adds, ` +
          `exceeds ${Number.MAX_SAFE_INTEGER}`,
      );
    }
    this.#scope.layer.slots[index] = { value };
    return value;
  }
}

function integer(reader: ByteReader): number {
  const amount = readJson(reader);
  if (typeof amount !== "number" || !Number.isSafeInteger(amount))
    throw new DecodeError("a counter's amount is not an integer");
  return amount;
}

const isInteger = (amount: unknown): amount is number => Number.isSafeInteger(amount);
