// What an agent's code threw: anything at all, a proxy or a getter that throws once more included. Nothing
// here throws.
import { inspect } from "node:util";
import { sourceScheme } from "@voda/proto/wire";

/** What is said of a thrown value; nobody reads more of it. */
export const thrownCharsMax = 8_192;
/** Causes of causes that are named; an error may be its own. */
const causesMax = 4;

/**
 * Frames of the user's sources begin with the scheme; those of packages in the bundle are not what is looked
 * for.
 */
const ownFrame = new RegExp(
  String.raw`^ +at (?:.*\()?${sourceScheme}((?!.*\bnode_modules/)[^()\n]+:\d+:\d+)\)?$`,
  "m",
);

/** For a log. */
export interface Thrown {
  readonly message: string;
  /** With those of its causes, and the user's own files where the bundle has a source map. */
  readonly stack: string;
  /**
   * `file:line:column` of the innermost frame that is the agent's own, relative to the folder of its config;
   * of an error that has none, that of its cause.
   */
  readonly at: string | undefined;
}

export function describeThrown(error: unknown): Thrown {
  const all = [error, ...causesOf(error)];
  const stack = textOf(() => all.map(stackOf).join("\ncause: "));
  const message = textOf(() => all.map(lineOf).join("; cause: "));
  return { message, stack: stack.replaceAll(sourceScheme, ""), at: ownFrame.exec(stack)?.[1] };
}

function stackOf(error: unknown): string {
  return textOf(() => (isError(error) ? String(error.stack) : inspect(error)));
}

/**
 * `fetch failed` helps nobody: what refused is in its cause. An `AggregateError` without words has them in
 * the first of its errors, and one that cannot be asked has no cause.
 */
function causesOf(error: unknown): readonly unknown[] {
  const causes: unknown[] = [];
  try {
    for (let at = causeOf(error); at !== undefined && causes.length < causesMax; at = causeOf(at)) {
      if (at === error || causes.includes(at)) break;
      causes.push(at);
    }
  } catch {
    // what is known so far is told
  }
  return causes;
}

function causeOf(error: unknown): unknown {
  if (!isError(error)) return undefined;
  return error.cause ?? (error instanceof AggregateError ? error.errors[0] : undefined);
}

/** The code stands in the words of most errors, but not in those of all. */
function lineOf(error: unknown): string {
  return textOf(() => {
    if (!isError(error)) return inspect(error);
    const { name, message } = error;
    const code = "code" in error && typeof error.code === "string" ? error.code : "";
    const words = message === "" ? name : `${name}: ${message}`;
    return code === "" || words.includes(code) ? words : `${words} (${code})`;
  });
}

/**
 * The error, whose stack goes on where the agent's code called what threw it, unless it has a place of its
 * own there: what is made of an answer, or by a timer, has none.
 */
export function calledFrom(frames: () => readonly string[], error: unknown): unknown {
  try {
    if (isError(error) && !ownFrame.test(String(error.stack)))
      error.stack = [String(error.stack), ...frames()].join("\n");
  } catch {
    // frozen, or one that cannot be asked: told without it
  }
  return error;
}

/**
 * `TypeError`, or what kind of value it is: tells a caller something without the message, which is for the
 * agent's owner.
 */
export function kindOf(error: unknown): string {
  return textOf(() => (isError(error) ? error.name : `a value of type ${typeof error}`));
}

/** Instances of other realms too; a revoked proxy cannot be asked. */
function isError(error: unknown): error is Error {
  return error instanceof Error || Object.prototype.toString.call(error) === "[object Error]";
}

/** A text of a value that may do anything when it is looked at. */
export function textOf(read: () => string, charsMax = thrownCharsMax): string {
  try {
    const text: unknown = read();
    return typeof text === "string" ? text.slice(0, charsMax) : `a ${typeof text}`;
  } catch {
    return "a value that cannot be inspected: looking at it throws";
  }
}
