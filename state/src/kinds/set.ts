import type { Scalar, SetState } from "@voda/proto/fields";
import { DecodeError, utf8Length } from "@voda/stdx";
import { RefusedValueError, TooLargeError } from "../errors.ts";
import { type FieldSchema, refuseSet, type Scope } from "../field.ts";
import { describe, frozenJson, readJson, writeJson } from "../json.ts";
import { EntriesField, type KeyKind } from "./entries.ts";

/** Bytes of UTF-8 of a text in a set. */
export const setTextBytesMax = 1024;

/** The values are the keys; what is under one is only `true`, for it is there. */
const scalars: KeyKind<Scalar> = {
  write: writeJson,
  read: (reader) => {
    const value = readJson(reader);
    if (isScalar(value)) return value;
    throw new DecodeError("a set has a value that is no scalar");
  },
  sort: (values) => values.sort(inOrder),
  text: String,
  holds: (value) => value === true,
};

/** Strings, numbers, booleans and null, each at most once. Values of two types are two values. */
export class SetField extends EntriesField<Scalar> {
  readonly kind = "set";

  constructor(name: string, index: number, schema: FieldSchema) {
    super(scalars, name, index, schema);
  }

  access(scope: Scope): SetState<Scalar> {
    scope.alive();
    return Object.freeze(new SetHandle(this, scope));
  }
}

/** What handlers hold; it reads through the layers of its scope. */
// No proxy around it, as maps have: nobody takes values for properties, and methods stay fast.
class SetHandle implements SetState<Scalar> {
  readonly #field: SetField;
  readonly #scope: Scope;

  constructor(field: SetField, scope: Scope) {
    this.#field = field;
    this.#scope = scope;
  }

  get size(): number {
    this.#scope.alive();
    return this.#field.size(this.#scope.layer);
  }

  set size(_: unknown) {
    const { name } = this.#field;
    refuseSet(name, "size", `call state.${name}.add(value), or .delete(value)`);
  }

  has(value: Scalar): boolean {
    this.#scope.alive();
    return this.#field.get(this.#scope.layer, value) !== undefined;
  }

  /** What the schema gives is added, which may be another value than the one that came. */
  add(value: Scalar): boolean {
    const { name, check } = this.#field;
    this.#scope.writable(name);
    const checked = scalarOf(name, check === undefined ? value : check(value, `state.${name}`));
    if (this.has(checked)) return false;
    this.#field.write(this.#scope.layer, checked, true);
    return true;
  }

  /** One that no set can hold is not there. */
  delete(value: Scalar): boolean {
    this.#scope.writable(this.#field.name);
    if (!this.has(value)) return false;
    this.#field.write(this.#scope.layer, value, undefined);
    return true;
  }

  /** In the order of iteration: sets that are equal are equal as JSON. */
  toJSON(): readonly Scalar[] {
    return [...this];
  }

  /** What printers of Node show. */
  [Symbol.for("nodejs.util.inspect.custom")](): object {
    return new Set(this);
  }

  /** Over the values as they are now; one that is deleted meanwhile is left out. */
  *[Symbol.iterator](): Generator<Scalar> {
    this.#scope.alive();
    for (const value of this.#field.keys(this.#scope.layer)) if (this.has(value)) yield value;
  }
}

/**
 * Checks come first, so a refused value leaves the transaction as it was.
 * @throws RefusedValueError | TooLargeError
 */
function scalarOf(field: string, value: unknown): Scalar {
  const where = `a value of state.${field}`;
  if (!isScalar(value)) {
    const must = value instanceof Promise ? "await it" : "a set holds strings, numbers, booleans and null";
    throw new RefusedValueError(
      `${where} is ${Array.isArray(value) ? "an array" : describe(value)}; ${must}`,
    );
  }
  frozenJson(value, where);
  const bytes = typeof value === "string" ? utf8Length(value) : 0;
  if (bytes > setTextBytesMax)
    throw new TooLargeError(`${where} of ${bytes} bytes exceeds setTextBytesMax ${setTextBytesMax}`);
  // no -0, as in sets of JavaScript, of which this one is made
  return value === 0 ? 0 : value;
}

function isScalar(value: unknown): value is Scalar {
  return value === null || types.includes(typeof value);
}

/** As `typeof` calls them, in the order of iteration. */
const types = ["boolean", "number", "string"];

/** By type, then as `<` says: null, false, true, numbers, strings by their UTF-16 code units. */
function inOrder(a: Scalar, b: Scalar): number {
  if (typeof a !== typeof b) return types.indexOf(typeof a) - types.indexOf(typeof b);
  if (a === b || a === null || b === null) return 0;
  return a < b ? -1 : 1;
}
