import { type Counter, CounterField, type ReadCounter } from "./counter.ts";
import { SchemaError } from "./errors.ts";
import type { Check, Field } from "./field.ts";
import type { Json } from "./json.ts";
import { MapField, type MapState, type ReadMap } from "./map.ts";
import { RegisterField } from "./register.ts";
import { type ReadText, TextField, type TextState } from "./text.ts";

export type FieldSchema =
  | { readonly kind: "register"; readonly initial: Json; readonly check?: Check }
  | { readonly kind: "counter" }
  | { readonly kind: "map"; readonly check?: Check }
  | { readonly kind: "text" };
export type Schema = { readonly [field: string]: FieldSchema };

/** What `state` gives in a transaction. Values read are deeply frozen. */
export type State<S extends Schema> = {
  -readonly [N in keyof S as S[N]["kind"] extends "register" ? N : never]: Json;
} & {
  readonly [N in keyof S as S[N]["kind"] extends "register" ? never : N]: Handle<S[N]["kind"]>;
};
/** What `state` gives in a view. */
export type ReadState<S extends Schema> = { readonly [N in keyof S]: ReadHandle<S[N]["kind"]> };

type Handle<K> = K extends "counter"
  ? Counter
  : K extends "map"
    ? MapState
    : K extends "text"
      ? TextState
      : never;
type ReadHandle<K> = K extends "counter"
  ? ReadCounter
  : K extends "map"
    ? ReadMap
    : K extends "text"
      ? ReadText
      : Json;

export const fieldsMax = 256;
/** Bytes of UTF-8. */
export const fieldNameBytesMax = 128;

const utf8 = new TextEncoder();

/** The fields of an empty session, in the order of the schema. @throws SchemaError */
export function createFields(schema: Schema): Field[] {
  const entries = Object.entries(schema);
  if (entries.length > fieldsMax)
    throw new SchemaError(`${entries.length} fields exceed fieldsMax ${fieldsMax}`);
  return entries.map(([name, field], index) => {
    checkName(name);
    return createField(name, index, field);
  });
}

function createField(name: string, index: number, field: FieldSchema): Field {
  const { kind } = field;
  switch (kind) {
    case "register":
      return new RegisterField(name, index, field.initial, field.check);
    case "counter":
      return new CounterField(name, index);
    case "map":
      return new MapField(name, index, field.check);
    case "text":
      return new TextField(name, index);
    default:
      throw new SchemaError(`field ${name} has the unknown kind ${JSON.stringify(kind satisfies never)}`);
  }
}

function checkName(name: string): void {
  const { length } = utf8.encode(name);
  const fits = length >= 1 && length <= fieldNameBytesMax && name.isWellFormed();
  if (!fits)
    throw new SchemaError(
      `a field's name has ${length} bytes; it must have 1 to ${fieldNameBytesMax} of well-formed Unicode`,
    );
}
