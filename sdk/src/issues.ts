// What a schema finds wrong with a value, as it is told.
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { VodaError } from "./error.ts";

/** Of one value; the others are counted. */
export const issuesMax = 8;
const pathCharsMax = 128;
const messageCharsMax = 256;
const identifier = /^[A-Za-z_$][A-Za-z0-9_$]*$/;

/** Where in the value, and what. */
export interface ToldIssue {
  readonly path: string;
  readonly message: string;
}

/** A schema that fails at its own task: no mistake of the value, nor of the handler behind it. */
export class BrokenSchemaError extends Error {
  override readonly name = "BrokenSchemaError";
}

/** What the schema throws on purpose stays as it is. @throws BrokenSchemaError in place of anything else */
export function ofSchema<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw brokenBy(what, cause);
  }
}

/** What is told in place of what a schema threw. */
export function brokenBy(what: string, cause: unknown): Error {
  if (VodaError.is(cause) || cause instanceof BrokenSchemaError) return cause;
  return new BrokenSchemaError(`${what}: the schema threw`, { cause });
}

/**
 * What a schema answered, if it did: an answer that says nothing lets nothing pass.
 * @throws BrokenSchemaError when it has neither a value nor issues
 */
export function resultOf(what: string, answer: unknown): StandardSchemaV1.Result<unknown> {
  if (typeof answer === "object" && answer !== null) {
    const { issues } = answer as { readonly issues?: unknown };
    if (Array.isArray(issues) || (issues === undefined && "value" in answer))
      return answer as StandardSchemaV1.Result<unknown>;
  }
  throw new BrokenSchemaError(`${what}: the schema answered neither a value nor issues; nothing passes it`);
}

/** Of a value that its schema refuses, as it is told. */
export interface Refusal {
  readonly issues: readonly ToldIssue[];
  readonly told: string;
}

/**
 * The value as the schema returns it. `name`: of the value in the words of what is wrong with it.
 * @throws what `refusalOf` makes of a value that does not fit, or BrokenSchemaError
 */
export function accepted(
  what: string,
  answer: unknown,
  name: string,
  refusalOf: (refusal: Refusal) => VodaError,
): unknown {
  const { refusal, value } = ofSchema(what, () => {
    const result = resultOf(what, answer);
    if (result.issues === undefined) return { value: result.value };
    return { refusal: describeIssues(result.issues, name) };
  });
  if (refusal === undefined) return value;
  throw refusalOf(refusal);
}

/** Of an issue without words, and of a schema that lists none. */
const noReason = "the schema gave no reason";

/** `what`: the name of the whole value. Both within bounds: a schema may find fault with every item. */
export function describeIssues(found: readonly StandardSchemaV1.Issue[], what: string): Refusal {
  // without holes: a list of holes has a length and no reason
  const first = Object.values(found.slice(0, issuesMax));
  if (first.length === 0)
    return { issues: [{ path: what, message: noReason }], told: `${what}: ${noReason}` };
  const issues = first.map(({ path, message }) => ({
    path: pathText(path ?? [], what).slice(0, pathCharsMax),
    message: (message || noReason).slice(0, messageCharsMax),
  }));
  const more = found.length - issues.length;
  const told = issues.map(({ path, message }) => `${path}: ${message}`).join("; ");
  return { issues, told: more > 0 ? `${told}; and ${more} more` : told };
}

/** `input.items[0].price` */
function pathText(path: readonly (PropertyKey | StandardSchemaV1.PathSegment)[], what: string): string {
  return path.reduce<string>((text, part) => {
    const key = typeof part === "object" ? part.key : part;
    if (typeof key === "number") return `${text}[${key}]`;
    return identifier.test(String(key))
      ? `${text}.${String(key)}`
      : `${text}[${JSON.stringify(String(key))}]`;
  }, what);
}
