import type { Json, MapState } from "@voda/proto/fields";
import { RefusedValueError, TooLargeError } from "../errors.ts";
import type { FieldSchema, Scope } from "../field.ts";
import { describe, frozenJson, jsonObject } from "../json.ts";
import { EntriesField, type KeyKind } from "./entries.ts";

/** Bytes of UTF-8. */
export const mapKeyBytesMax = 1024;

const utf8 = new TextEncoder();

/** Keys as they come: `sort` without an order of its own compares UTF-16 code units, and is the fastest. */
const texts: KeyKind<string> = {
  write: (writer, key) => writer.text(key),
  read: (reader) => reader.text(),
  sort: (keys) => keys.sort(),
  text: (key) => key,
  holds: () => true,
};

/** Json values under string keys. */
export class MapField extends EntriesField<string> {
  readonly kind = "map";

  constructor(name: string, index: number, schema: FieldSchema) {
    super(texts, name, index, schema);
  }

  access(scope: Scope): MapState<Json> {
    scope.alive();
    return new Proxy(Object.freeze(new MapHandle(this, scope)), refuseProperties);
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
