// The state of an agent's sessions as the state engine knows it.
import { type Check, type FieldSchema, RefusedValueError, type Schema } from "@voda/state";
import {
  type AnyAgent,
  definitionOf,
  type FieldDefinition,
  type Validate,
  validatorsOf,
} from "voda/definition";

/** Its fields, with what checks them. */
export function schemaOf(agent: AnyAgent): Schema {
  const validators = validatorsOf(agent);
  return Object.fromEntries(
    definitionOf(agent).fields.map((field) => {
      const validate = validators.get(field.name);
      return [field.name, fieldSchema(agent.name, field, validate)];
    }),
  );
}

function fieldSchema(
  agent: string,
  { kind, initial, keep }: FieldDefinition,
  validate: Validate | undefined,
): FieldSchema {
  return {
    kind,
    ...(initial !== undefined && { initial }),
    ...(keep !== undefined && { keep }),
    ...(validate !== undefined && { check: checking(agent, validate) }),
  };
}

function checking(agent: string, validate: Validate): Check {
  return (value, where) => {
    const validation = validate(value, `agent ${agent}: ${where}`, where);
    if (!validation.ok) throw new RefusedValueError(validation.problem);
    return validation.value;
  };
}
