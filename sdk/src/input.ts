// The input of a handler, checked by its schema.
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { VodaError } from "./error.ts";
import { accepted, brokenBy, ofSchema } from "./issues.ts";
import { standardOf } from "./schema.ts";
import { isThenable } from "./thenable.ts";

/**
 * The input as the schema returns it, or a promise of it.
 * @throws VodaError `invalid_input`, or BrokenSchemaError; the promise rejects with them
 */
export type CheckInput = (input: unknown) => unknown;

/** What a check has thrown: no handler had begun. */
const refusedInputs = new WeakSet<Error>();

/** Whether the check of an input threw it, so that nothing of it is the handler's. */
export const isRefusedInput = (error: Error): boolean => refusedInputs.has(error);

/** Contexts of calls whose schema takes its time. */
const beingChecked = new WeakSet<object>();
/** Its schema was asked. */
export const beginCheck = (context: object): void => void beingChecked.add(context);
/** Its schema has answered. */
export const endCheck = (context: object): void => void beingChecked.delete(context);

/** Whether the handler of this context has not begun, for the schema of its input has not answered. */
export const isBeingChecked = (context: object): boolean => beingChecked.has(context);

/** @throws TypeError when it is not a schema */
export function inputCheck(what: string, schema: StandardSchemaV1): CheckInput {
  const standard = standardOf(what, schema);
  return (input) => {
    const result = noted(() => ofSchema(what, () => standard.validate(input)));
    if (!isThenable(result)) return noted(() => ofInput(what, result));
    return Promise.resolve(result).then(
      (late: unknown) => noted(() => ofInput(what, late)),
      (cause: unknown) =>
        noted(() => {
          throw brokenBy(what, cause);
        }),
    );
  };
}

function noted<T>(check: () => T): T {
  try {
    return check();
  } catch (refusal) {
    if (refusal instanceof Error) refusedInputs.add(refusal);
    throw refusal;
  }
}

const ofInput = (what: string, answer: unknown): unknown =>
  accepted(what, answer, "input", ({ issues, told }) => {
    const details = { issues: JSON.stringify(issues) };
    return new VodaError("invalid_argument", told, { reason: "invalid_input", details });
  });
