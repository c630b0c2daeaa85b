// Names of fields and handlers: JavaScript properties, path segments and names in other languages at once.

const NAME = /^[A-Za-z][A-Za-z0-9_]{0,62}$/;

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
export function nameProblem(name: string): string | undefined {
  if (NAME.test(name)) return undefined;
  return `${JSON.stringify(name.slice(0, 80))} is not a name: 1 to 63 letters, digits and "_", first a letter`;
}

/** Whether JavaScript itself uses the name. */
export function isReservedName(name: string): boolean {
  return reserved.has(name);
}
