// The input of a handler, checked by its schema.
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { VodaError } from "./error.ts";
import { resultOf, tellIssues } from "./issues.ts";
import { standardOf } from "./schema.ts";
import { isThenable } from "./thenable.ts";

/**
 * The input as the schema returns it, or a promise of it.
 * @throws VodaError `invalid_input`; the promise rejects with it
 */
export type CheckInput = (input: unknown) => unknown;

/** @throws TypeError when it is not a schema */
export function inputCheck(what: string, schema: StandardSchemaV1): CheckInput {
  const standard = standardOf(what, schema);
  return (input) => {
    const result = standard.validate(input);
    return isThenable(result)
      ? Promise.resolve(result).then((late: unknown) => accepted(what, late))
      : accepted(what, result);
  };
}

function accepted(what: string, answer: unknown): unknown {
  const result = resultOf(what, answer);
  if (result.issues === undefined) return result.value;
  const { issues, told } = tellIssues(result.issues, "input");
  throw new VodaError("invalid_argument", told, {
    reason: "invalid_input",
    details: { issues: JSON.stringify(issues) },
  });
}
