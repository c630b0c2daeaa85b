// The input of a handler, checked by its schema.
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { VodaError } from "./error.ts";
import { standardOf } from "./schema.ts";
import { isThenable } from "./thenable.ts";

/**
 * The input as the schema returns it, or a promise of it.
 * @throws VodaError `invalid_input`; the promise rejects with it
 */
export type CheckInput = (input: unknown) => unknown;

/** Of an input that does not fit; the others are counted. */
export const issuesMax = 8;
const pathCharsMax = 128;
const messageCharsMax = 256;
const identifier = /^[A-Za-z_$][A-Za-z0-9_$]*$/;

/** @throws TypeError when it is not a schema */
export function inputCheck(what: string, schema: StandardSchemaV1): CheckInput {
  const standard = standardOf(what, schema);
  return (input) => {
    const result = standard.validate(input);
    return isThenable(result) ? Promise.resolve(result).then(accepted) : accepted(result);
  };
}

function accepted(result: StandardSchemaV1.Result<unknown>): unknown {
  if (result.issues === undefined) return result.value;
  const issues = result.issues.slice(0, issuesMax).map(({ path, message }) => ({
    path: pathText(path ?? []).slice(0, pathCharsMax),
    message: message.slice(0, messageCharsMax),
  }));
  const more = result.issues.length - issues.length;
  const told = issues.map(({ path, message }) => `${path}: ${message}`).join("; ");
  throw new VodaError("invalid_argument", `${told}${more > 0 ? `; and ${more} more` : ""}`, {
    reason: "invalid_input",
    details: { issues: JSON.stringify(issues) },
  });
}

/** `input.items[0].price` */
function pathText(path: readonly (PropertyKey | StandardSchemaV1.PathSegment)[]): string {
  return path.reduce<string>((text, part) => {
    const key = typeof part === "object" ? part.key : part;
    if (typeof key === "number") return `${text}[${key}]`;
    return identifier.test(String(key))
      ? `${text}.${String(key)}`
      : `${text}[${JSON.stringify(String(key))}]`;
  }, "input");
}
