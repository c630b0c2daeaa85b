// Names of fields and handlers: JavaScript properties, path segments and names in other languages at once.

import { methodBytesMax } from "@voda/proto/session-path";

const plainName = /^[A-Za-z][A-Za-z0-9_]{0,62}$/;
const identifier = /^[A-Za-z_][A-Za-z0-9_]*$/;

// Names that JavaScript looks up by itself on objects, promises and JSON values.
const reserved: ReadonlySet<string> = new Set([
  "constructor",
  "hasOwnProperty",
  "isPrototypeOf",
  "propertyIsEnumerable",
  "prototype",
  "toLocaleString",
  "toString",
  "valueOf",
  "toJSON",
  "then",
  "catch",
  "finally",
]);

/** What is wrong with the name of a field or a handler, or `undefined`. */
export function nameProblem(name: unknown): string | undefined {
  // a pattern would take `undefined` for its name
  if (typeof name !== "string") return `of type ${typeof name} is not a name`;
  if (plainName.test(name)) return undefined;
  const shown = JSON.stringify(name.slice(0, 80));
  return `${shown} is not a name: 1 to 63 letters, digits and "_", first a letter`;
}

/**
 * What is wrong with the name of a method of a protobuf service, or `undefined`. Such names come from others,
 * and no object of ours has them as properties: none is reserved.
 */
export function rpcNameProblem(name: string): string | undefined {
  if (identifier.test(name) && name.length <= methodBytesMax) return undefined;
  const shown = `${JSON.stringify(name.slice(0, 80))} of ${name.length} characters`;
  return `${shown} is not a name: 1 to ${methodBytesMax} letters, digits and "_"`;
}

/** Whether JavaScript itself uses the name. */
export function isReservedName(name: string): boolean {
  return reserved.has(name);
}

/** What is wrong with such a name, or `undefined`. */
export function reservedProblem(name: string): string | undefined {
  if (!reserved.has(name)) return undefined;
  return `"${name}" is reserved: JavaScript looks it up by itself, as ${[...reserved].join(", ")}; take another`;
}
