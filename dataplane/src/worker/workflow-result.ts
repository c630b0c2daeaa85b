// What the code of an author gives, as the journal of a workflow keeps it.
import { type Json, keptJson, keptProblem, type RunRequest, VodaError } from "voda/definition";
import { invalidResult, keptOf, notKept, resultOf } from "./attempts.ts";
import { checkSize } from "./workflow-bounds.ts";

/** `what` gave it, for the message. @throws VodaError for what is not kept */
export function keptResult(what: string, value: unknown): Json | undefined {
  let result: Json | undefined;
  try {
    result = keptJson(what, value);
  } catch (error) {
    // what is no JSON is told in the words for those who send it
    throw VodaError.is(error) ? invalidResult(error.message) : error;
  }
  checkSize(what, result);
  return result;
}

/**
 * Of a step that was done outside, with the value for its workflow. @throws VodaError, or BrokenSchemaError
 */
export async function stepResult(request: RunRequest, given: unknown) {
  const { bytes, value } = await keptOf(request, given);
  const result = resultOf(bytes) as Json | undefined;
  const problem = result === undefined ? undefined : keptProblem("it", result);
  if (problem !== undefined) throw invalidResult(`${notKept(request)}: ${problem}`);
  return { result, value };
}
