// What a session looks like to those who call it, clients and agents alike.
import { keyBytesMax, keyProblem } from "@voda/proto/name";
import { VodaError } from "./error.ts";
import { type Sent, sentProblem, sessionTag } from "./json.ts";
import { isReservedName } from "./name.ts";
import { optionsProblem } from "./options.ts";

/** What is sent to a handler. */
export type Input<F> = F extends (...args: infer P) => unknown
  ? P extends readonly [unknown, ...infer I]
    ? I
    : []
  : never;

/** What comes back from a handler. */
export type Output<F> = F extends (...args: never[]) => infer R ? Promise<Sent<Awaited<R>>> : never;

/** Not plain, and not text: where its method was forgotten it must not pass for a value. */
class Session {
  readonly [Symbol.toStringTag] = sessionTag;

  [Symbol.toPrimitive](): never {
    throw new TypeError("a session is neither text nor number: call a method of it");
  }
}

/**
 * An object that has every property that can be the name of an agent or a handler; above all it has no
 * `then`.
 */
export function properties(get: (name: string) => unknown): object {
  return new Proxy(Object.freeze(new Session()), {
    get: (session, name) => {
      if (typeof name === "symbol") return Reflect.get(session, name);
      return isReservedName(name) ? undefined : get(name);
    },
  });
}

/**
 * The input of a call as JSON; none, or `undefined`, is no content. @throws VodaError when JSON does not have
 * it, or there are several
 */
export function bodyOf([input, ...more]: readonly unknown[]): string | undefined {
  if (more.length > 0)
    throw badRequest(`a call takes one input, not ${1 + more.length}: put them into an object`);
  if (input === undefined) return undefined;
  const problem = sentProblem(input, "the input");
  if (problem !== undefined) throw badRequest(problem);
  return JSON.stringify(input);
}

/** @throws VodaError for what is no key */
export function checkKey(key: unknown): void {
  const problem = typeof key === "string" ? textProblem(key) : typeProblem(key);
  if (problem !== undefined) throw badRequest(problem);
}

function textProblem(key: string): string | undefined {
  // `TextEncoder` would write another character in its place: two keys would name one session
  if (!key.isWellFormed()) return "the key has half a character: a surrogate without its other half";
  return keyProblem(key);
}

function typeProblem(key: unknown): string {
  const what = `the key is of type ${typeof key}`;
  return typeof key === "number" || typeof key === "bigint"
    ? `${what}; write it as text: String(${key})`
    : `${what}: 1 to ${keyBytesMax} bytes of text`;
}

/** `what`: its name. @throws VodaError for what is no text of that length */
export function textOf(what: string, text: unknown, lengthMax: number): string {
  const problem = lengthProblem(what, text, lengthMax);
  if (typeof text !== "string" || problem !== undefined) throw badRequest(problem ?? what);
  return text;
}

/** Why it is no text of that length, or `undefined`. */
export function lengthProblem(what: string, text: unknown, lengthMax: number): string | undefined {
  const must = `${what} is a text of 1 to ${lengthMax} characters`;
  if (typeof text !== "string") return `${must}; it is of type ${typeof text}`;
  if (text.length === 0 || text.length > lengthMax) return `${must}; it has ${text.length}`;
  return text.isWellFormed() ? undefined : `${what} has half a character: a surrogate without its other half`;
}

/**
 * For what is called while a handler or a program runs: a slip there is told to whoever called, in words.
 * @throws VodaError for an option that is not known
 */
export function checkOptions(what: string, value: unknown, known: ReadonlySet<string>): void {
  const problem = optionsProblem(what, value, known);
  if (problem !== undefined) throw badRequest(problem);
}

/** The caller's mistake, found before anything is sent. */
export function badRequest(message: string): VodaError {
  return new VodaError("invalid_argument", message, { reason: "bad_request" });
}

/** What is wrong with an AbortSignal, or `undefined`. */
export function signalProblem(signal: unknown): string | undefined {
  if (signal === undefined || signal instanceof AbortSignal) return undefined;
  return `signal of type ${typeof signal} is no AbortSignal: take that of an AbortController`;
}
