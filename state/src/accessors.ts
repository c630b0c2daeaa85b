import type { Field, Scope } from "./field.ts";

/** Makes the `state` object of one scope. */
export type Accessors = (scope: Scope) => object;

/** Knows its scope and its schema's properties; the scope stays out of reach of handlers. */
class StateAccess {
  readonly #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
    // A write to a field that is not in the schema throws instead of staying behind unnoticed.
    Object.preventExtensions(this);
  }

  static define(target: StateAccess, field: Field): void {
    Object.defineProperty(target, field.name, {
      enumerable: true,
      get(this: StateAccess) {
        return field.access(this.#scope);
      },
      set(this: StateAccess, value: unknown) {
        field.assign(this.#scope, value);
      },
    });
  }
}

/** Properties are defined once per state, on a prototype: a transaction costs one small object. */
export function createAccessors(fields: readonly Field[]): Accessors {
  class Access extends StateAccess {}
  for (const field of fields) StateAccess.define(Access.prototype, field);
  return (scope) => new Access(scope);
}
