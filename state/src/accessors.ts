import type { Field, Scope } from "./field.ts";

/** Makes the `state` object of one scope. */
export type Accessors = (scope: Scope) => object;

/**
 * What stands behind a `state`: printers of Node look at it and ask it for what to print, with the `state` as
 * `this`.
 */
class Behind {
  readonly scope: Scope;

  constructor(scope: Scope) {
    this.scope = scope;
  }

  [Symbol.for("nodejs.util.inspect.custom")](this: object): object {
    return valuesOf.call(this);
  }
}

/** The values of all fields: so a handler may return or log the state as it is. */
function valuesOf(this: object): object {
  return { ...this };
}

/** What every `state` has besides its fields, and what all objects have. */
const shared: object = { toJSON: valuesOf };

/** JavaScript itself asks any object that is awaited or written as JSON for names and symbols of its own. */
function isSlip(name: string | symbol): name is string {
  return typeof name === "string" && name !== "then" && !(name in shared);
}

/**
 * A proxy, because fields must be properties of the object's own for `{ ...ctx.state }` and `Object.keys`,
 * and to define them for each transaction costs more than the transaction (measured: 0.3 microseconds per
 * field). Scopes share the traps.
 */
export function createAccessors(fields: readonly Field[]): Accessors {
  const named = new Map<string | symbol, Field>(fields.map((field) => [field.name, field]));
  // what begins with _ is the host's own: no schema of an author has it, nothing lists it
  const names = fields.map((field) => field.name).filter((name) => !name.startsWith("_"));
  const noField = (name: string | symbol): string =>
    `state.${String(name)} is no field; the schema has ${names.join(", ") || "none"}`;
  const traps: ProxyHandler<Behind> = {
    get: ({ scope }, name) => {
      const field = named.get(name);
      if (field !== undefined) return field.access(scope);
      if (isSlip(name)) throw new TypeError(noField(name));
      return Reflect.get(shared, name);
    },
    // A write to a field that is not in the schema throws instead of staying behind unnoticed.
    set: ({ scope }, name, value) => {
      const field = named.get(name);
      if (field === undefined) throw new TypeError(noField(name));
      field.assign(scope, value);
      return true;
    },
    has: (_, name) => named.has(name) || name in shared,
    ownKeys: () => names,
    // "Configurable", because a proxy may not say otherwise of what the object behind it lacks; the traps
    // below refuse it.
    getOwnPropertyDescriptor: ({ scope }, name) => {
      const field = named.get(name);
      return field && { enumerable: true, configurable: true, value: field.access(scope) };
    },
    getPrototypeOf: () => Object.prototype,
    setPrototypeOf: () => false,
    defineProperty: () => false,
    deleteProperty: (_, name) => {
      throw new TypeError(
        named.has(name) ? `state.${String(name)} is a field: it stays, write another value` : noField(name),
      );
    },
    preventExtensions: () => false,
  };
  return (scope) => new Proxy(new Behind(scope), traps);
}
