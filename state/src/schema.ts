import type { Handles, Json, ReadHandles } from "@voda/proto/fields";
import { SchemaError } from "./errors.ts";
import type { Field, FieldSchema } from "./field.ts";
import { createField } from "./kinds.ts";

/** The fields of a session's state by their names. */
export type Schema = { readonly [field: string]: FieldSchema };

/** What `state` gives in a transaction. Values read are deeply frozen. */
export type State<S extends Schema> = {
  -readonly [N in keyof S as S[N]["kind"] extends "register" ? N : never]: Json;
} & {
  readonly [N in keyof S as S[N]["kind"] extends "register" ? never : N]: Handles<Json>[S[N]["kind"]];
};
/** What `state` gives in a view. */
export type ReadState<S extends Schema> = {
  readonly [N in keyof S]: S[N]["kind"] extends "register" ? Json : ReadHandles<Json>[S[N]["kind"]];
};

/** Fields of one schema. */
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

function checkName(name: string): void {
  const { length } = utf8.encode(name);
  const fits = length >= 1 && length <= fieldNameBytesMax && name.isWellFormed();
  if (!fits)
    throw new SchemaError(
      `a field's name has ${length} bytes; it must have 1 to ${fieldNameBytesMax} of well-formed Unicode`,
    );
}
