// One class for each row of the table of kinds.
import { type FieldKind, isFieldKind } from "@voda/proto/fields";
import { SchemaError } from "./errors.ts";
import type { Field, FieldSchema } from "./field.ts";
import { CounterField } from "./kinds/counter.ts";
import { FlagField } from "./kinds/flag.ts";
import { ListField } from "./kinds/list.ts";
import { LogField } from "./kinds/log.ts";
import { MapField } from "./kinds/map.ts";
import { RegisterField } from "./kinds/register.ts";
import { SetField } from "./kinds/set.ts";
import { TextField } from "./kinds/text.ts";

type FieldMaker = new (name: string, index: number, schema: FieldSchema) => Field;

const makers: { readonly [K in FieldKind]: FieldMaker } = {
  register: RegisterField,
  counter: CounterField,
  map: MapField,
  text: TextField,
  flag: FlagField,
  log: LogField,
  set: SetField,
  list: ListField,
};

/**
 * The field of an empty session.
 * @param index its slot in every layer.
 * @throws SchemaError for a kind that is not known
 */
export function createField(name: string, index: number, schema: FieldSchema): Field {
  if (!isFieldKind(schema.kind))
    throw new SchemaError(
      `field ${name} has the unknown kind ${JSON.stringify(schema.kind satisfies never)}`,
    );
  return new makers[schema.kind](name, index, schema);
}
