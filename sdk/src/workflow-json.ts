// Values as workflows keep them, in a field of their session's state.
import { shownPath } from "@voda/proto/fields";
import { type Json, sentProblem } from "./json.ts";
import { badRequest } from "./session.ts";

/** Deeper values are refused: the state takes `jsonDepthMax`, and what stands around them is one of it. */
export const keptDepthMax = 63;

/**
 * As it is kept, looked at before anything of it is written: what the state refuses later, it refuses for
 * each attempt again.
 * @throws VodaError for what JSON or the state does not have
 */
export function keptJson(what: string, value: unknown): Json | undefined {
  const problem = value === undefined ? undefined : sentProblem(value, what);
  if (problem !== undefined) throw badRequest(problem);
  const text: string | undefined = JSON.stringify(value);
  const kept: Json | undefined = text === undefined ? undefined : JSON.parse(text);
  const refused = kept === undefined ? undefined : keptProblem(what, kept);
  if (refused !== undefined) throw badRequest(refused);
  return kept;
}

/** Why the state does not take what JSON has, or `undefined`. `what`: the value's name, for the message. */
export function keptProblem(what: string, value: Json, depth = 0): string | undefined {
  if (typeof value === "string") return value.isWellFormed() ? undefined : `${shownPath(what)} ${halfWords}`;
  if (typeof value !== "object" || value === null) return undefined;
  if (depth >= keptDepthMax) return `${shownPath(what)} is nested deeper than keptDepthMax ${keptDepthMax}`;
  for (const [name, item] of Object.entries(value)) {
    if (!name.isWellFormed()) return `${shownPath(what)} has a name that ${halfWords}`;
    const path = Array.isArray(value) ? `${what}[${name}]` : `${what}.${name}`;
    const problem = keptProblem(path, item, depth + 1);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

const halfWords = "has half a character: a surrogate without its other half";
