// What can be a value in the state, an input or an answer.

import { type Json, jsonDepthMax, shownPath } from "@voda/proto/fields";

export type { Json };

declare const called: unique symbol;

/** Has methods to call, and is no value itself. */
export interface Called {
  readonly [called]: true;
}

/** The tag of what has methods to call. */
export const sessionTag = "Session";

/**
 * What JSON has no form for. Functions are let through: of an object of a class they are not sent, and others
 * are found when sent.
 */
type NotJson =
  | Called
  | bigint
  | symbol
  | Date
  | RegExp
  | Error
  | ArrayBufferLike
  | ArrayBufferView
  | ReadonlyMap<unknown, unknown>
  | ReadonlySet<unknown>
  | PromiseLike<unknown>
  | AsyncIterable<unknown>
  // answers of `fetch`, and other bytes to come
  | { arrayBuffer(): PromiseLike<unknown> };

/**
 * The parts of a type that JSON does not have; `never` when there are none. Looked for to a depth of 5: types
 * may hold themselves.
 */
type NotJsonIn<T, Depth extends readonly unknown[] = []> = Depth["length"] extends 5
  ? never
  : 0 extends 1 & T
    ? never
    : T extends NotJson
      ? T
      : T extends { toJSON(): infer J }
        ? NotJsonIn<J, [...Depth, 0]>
        : T extends readonly (infer E)[]
          ? NotJsonIn<E, [...Depth, 0]>
          : T extends (...args: never[]) => unknown
            ? never
            : T extends object
              ? { [K in keyof T]-?: NotJsonIn<T[K], [...Depth, 0]> }[keyof T]
              : never;

/** `Then` when a type is of JSON values, or a type parameter; else a text that the compiler shows. */
export type IfJson<T, Then> = Verdicts[Verdict<T>] extends "json"
  ? Then
  : "JSON has no dates, errors, maps, sets, bytes, promises, big integers or sessions: use text, numbers, objects and arrays";

/**
 * `any` for what JSON does not have: of a type parameter, which may be anything, the compiler goes by the
 * other branch then. Nothing but an index takes `any` for something else than what is wanted.
 */
// oxlint-disable-next-line typescript/no-explicit-any -- see above
type Verdict<T> = [Unless<NotJsonIn<T>>] extends [never] ? "json" : any;
interface Verdicts {
  readonly [verdict: string]: "json" | "none";
  readonly json: "json";
}
/** First `any`, which the compiler has for what it complains of already, such as a misspelt name. */
type Unless<Found> = 0 extends 1 & Found ? never : Found;

/**
 * What arrives of a value that is sent: what has a `toJSON`, as the handles of fields do, arrives as what
 * that gives.
 */
export type Sent<T> = T extends Json
  ? T
  : T extends { toJSON(): infer J }
    ? Sent<J>
    : T extends (...args: never[]) => unknown
      ? T
      : T extends object
        ? { [K in keyof T]: Sent<T[K]> }
        : T;

/** Why a value is not JSON, or `undefined`. */
export function jsonProblem(value: unknown): string | undefined {
  const problem = partProblem(value, "it", 0);
  return problem === undefined ? undefined : (cycleIn(value, "it") ?? problem);
}

function partProblem(value: unknown, path: string, depth: number): string | undefined {
  if (value === null || typeof value === "string" || typeof value === "boolean") return undefined;
  if (typeof value === "number") return Number.isFinite(value) ? undefined : `${shownPath(path)} is ${value}`;
  if (typeof value !== "object") return `${shownPath(path)} is of type ${typeof value}`;
  if (depth >= jsonDepthMax) return `${shownPath(path)} is nested deeper than jsonDepthMax ${jsonDepthMax}`;
  if (Array.isArray(value))
    return firstProblem(
      Array.from(value, (item, i) => [`${path}[${i}]`, item]),
      depth,
    );
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null)
    return `${shownPath(path)} is ${kindOf(value)}, not a plain object`;
  return firstProblem(
    Object.entries(value).map(([name, item]) => [`${path}.${name}`, item]),
    depth,
  );
}

function kindOf(value: object): string {
  const tag = tagOf(value);
  if (tag !== "Object") return tag;
  const maker: unknown = value.constructor;
  return typeof maker === "function" ? `of class ${maker.name}` : "of a class";
}

const tagOf = (value: object): string => Object.prototype.toString.call(value).slice(8, -1);

function firstProblem(items: readonly (readonly [string, unknown])[], depth: number): string | undefined {
  for (const [path, item] of items) {
    const problem = partProblem(item, path, depth + 1);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** Answers and inputs may hold values of the state, and those are nested up to `jsonDepthMax` themselves. */
export const bodyDepthMax = 1_000;

/** What to send in place of the builtins that people return most. */
const instead: Readonly<Record<string, string>> = {
  Date: "its toISOString()",
  Map: "Object.fromEntries(...) of it",
  Set: "an array of it",
  Uint8Array: "its base64",
  BigInt: "it as text",
  Promise: "what it gives: await it",
  Response: "what its json() gives: await that",
  [sessionTag]: "what a method of it gives: call one",
  Infinity: `a number up to ${Number.MAX_VALUE}`,
  "-Infinity": `a number down to -${Number.MAX_VALUE}`,
};

const tooDeep = `nested deeper than bodyDepthMax ${bodyDepthMax}`;

interface Problem {
  /** From the inside out. */
  readonly steps: string[];
  readonly found: string;
}

/**
 * Why a value would arrive changed when it is sent as JSON, or `undefined`. What has a `toJSON` of its own,
 * as the handles of fields do, arrives as that says; builtins do not: a Date would become text, a Map `{}`.
 * @param what the value is, for the message
 */
export function sentProblem(value: unknown, what: string): string | undefined {
  const problem = problemOf(value, 0);
  if (problem === undefined) return undefined;
  const cycle = problem.steps.length >= bodyDepthMax ? cycleIn(value, what) : undefined;
  if (cycle !== undefined) return cycle;
  const path = shownPath(`${what}${problem.steps.reverse().join("")}`);
  if (problem.found === tooDeep) return `${path} is ${tooDeep}`;
  const better = instead[problem.found];
  const hint = better === undefined ? "" : `; send ${better}`;
  return `${path} is ${problem.found}, which JSON does not have${hint}`;
}

/** Where a value holds itself, or `undefined`: what is told of it in place of a path without end. */
function cycleIn(value: unknown, what: string): string | undefined {
  const above = new Map<unknown, string>();
  const visit = (at: unknown, path: string): string | undefined => {
    if (typeof at !== "object" || at === null || above.size > bodyDepthMax) return undefined;
    const before = above.get(at);
    if (before !== undefined)
      return `${shownPath(path)} is ${shownPath(before)} again: what holds itself has no JSON`;
    above.set(at, path);
    for (const [name, item] of Object.entries(at)) {
      const found = visit(item, `${path}${Array.isArray(at) ? `[${name}]` : `.${name}`}`);
      if (found !== undefined) return found;
    }
    above.delete(at);
    return undefined;
  };
  return visit(value, what);
}

function problemOf(value: unknown, depth: number): Problem | undefined {
  if (typeof value === "number") return Number.isFinite(value) ? undefined : found(String(value));
  if (value === null || typeof value === "string" || typeof value === "boolean") return undefined;
  if (typeof value !== "object") return found(typeof value === "bigint" ? "BigInt" : typeof value);
  if (depth >= bodyDepthMax) return found(tooDeep);
  if (Array.isArray(value)) return itemProblem(value, depth);
  const tag = tagOf(value);
  if (tag !== "Object") return found(tag);
  if ("toJSON" in value && typeof value.toJSON === "function") return problemOf(value.toJSON(), depth + 1);
  for (const [name, item] of Object.entries(value)) {
    // A property that is `undefined` is left out, and is `undefined` for who reads it there too.
    const problem = item === undefined ? undefined : problemOf(item, depth + 1);
    if (problem !== undefined) return step(problem, `.${name}`);
  }
  return undefined;
}

/** Not `entries`: it would pass over holes. */
function itemProblem(items: readonly unknown[], depth: number): Problem | undefined {
  for (let at = 0; at < items.length; at += 1) {
    const problem = problemOf(items[at], depth + 1);
    if (problem !== undefined) return step(problem, `[${at}]`);
  }
  return undefined;
}

const found = (what: string): Problem => ({ steps: [], found: what });

function step(problem: Problem, name: string): Problem {
  problem.steps.push(name);
  return problem;
}
