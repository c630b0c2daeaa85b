// What a handler does outside of its session: how it is written, and what its host is given to do.
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { told } from "./ask.ts";
import { spanOf } from "./due.ts";
import type { Duration } from "./duration.ts";
import { VodaError } from "./error.ts";
import { accepted, brokenBy } from "./issues.ts";
import type { IfJson, Sent } from "./json.ts";
import { turnRange } from "./options.ts";
import { standardOf } from "./schema.ts";
import { badRequest, checkOptions, textOf } from "./session.ts";
import { shown } from "./shown.ts";

/** What a step is given. */
export interface RunOp {
  /**
   * The same whenever the step is done for this call, of this session, under this name; no other step has it.
   * For the one who is asked to do something, so that it is done once.
   */
  readonly idempotencyKey: string;
  /** Fires when nobody waits for the step any more: its `timeout` is over, or its turn has ended. */
  readonly signal: AbortSignal;
}

/** When a step that throws is tried again, within its turn. A VodaError that is not `retryable` ends it. */
export interface RetryPolicy {
  /** How often it is tried, the first time included: 1 to 100. Default 1. */
  readonly attempts?: number;
  /**
   * How long to wait before the second time, and twice as long before each other: 1 ms to 1 hour. Default 100
   * ms.
   */
  readonly delay?: Duration;
  /** How long to wait at most: 1 ms to 1 hour. Default 10 s. */
  readonly maxDelay?: Duration;
}

/** Options of a step. */
export interface RunOptions {
  /** In place of a key of voda's own: 1 to 255 characters of ASCII without spaces. */
  readonly idempotencyKey?: string;
  /** Default: it is tried once. */
  readonly retry?: RetryPolicy;
  /** How long each try may take: 1 ms to 1 hour, and never longer than the turn. Default: as long as that. */
  readonly timeout?: Duration;
  /**
   * Checks the result, also one from the journal; the handler gets what the schema returns. A result that
   * does not fit is `internal` with the reason `invalid_result`, and is not kept.
   */
  readonly schema?: StandardSchemaV1;
}

/** `ctx.run` */
export interface RunFunction {
  <X extends StandardSchemaV1, R>(
    name: string,
    perform: (op: RunOp) => R & IfJson<Awaited<R>, unknown>,
    options: RunOptions & { readonly schema: X },
  ): Promise<StandardSchemaV1.InferOutput<X>>;
  <R>(
    name: string,
    perform: (op: RunOp) => R & IfJson<Awaited<R>, unknown>,
    options?: RunOptions & { readonly schema?: never },
  ): Promise<Sent<Awaited<R>>>;
}

/** One step, as the host of the handler has it done. */
export interface RunRequest {
  /** As it is written: `ctx.run`. */
  readonly way: string;
  readonly name: string;
  readonly perform: (op: RunOp) => unknown;
  readonly idempotencyKey: string | undefined;
  readonly attemptsMax: number;
  /** The same where `retry` says so. */
  readonly attemptsChosen: number | undefined;
  readonly delayMs: number;
  readonly delayMsMax: number;
  /** Of one attempt. */
  readonly timeoutMs: number | undefined;
  /** The result as the handler gets it. Rejects with VodaError `invalid_result`, or BrokenSchemaError. */
  readonly check: (result: unknown) => unknown;
}

/** Attempts of one step. */
export const stepAttemptsMax = 100;
const nameCharsMax = 128;
/** Names of the options of a step. */
export const runOptionNames: ReadonlySet<string> = new Set(["idempotencyKey", "retry", "timeout", "schema"]);
const retryNames: ReadonlySet<string> = new Set(["attempts", "delay", "maxDelay"]);
const sendableKey = /^[\x21-\x7e]{1,255}$/;

/**
 * For hosts: `ctx.run` that has them do steps so. What arrives at `run` has been checked, and is read once.
 * It throws nothing itself: what is wrong rejects.
 */
export function runFunction(run: (request: RunRequest) => Promise<unknown>): RunFunction {
  return async (name: string, perform: (op: RunOp) => unknown, given?: RunOptions): Promise<never> => {
    const options = given === undefined ? {} : given;
    return (await run(runRequestOf("ctx.run", name, perform, options))) as never;
  };
}

/** `way`: how it is written. @throws VodaError for what is no step, and for a bad option */
export function runRequestOf(way: string, name: unknown, perform: unknown, options: RunOptions): RunRequest {
  const step = told(way, () => textOf("the name of a step, which comes first,", name, nameCharsMax));
  const what = `${way}(${JSON.stringify(step)})`;
  if (typeof perform !== "function")
    throw badRequest(`${what} takes a function that does it, not ${typeof perform}`);
  const checked = told(what, () => checkedOptions(options));
  const { schema } = options;
  return {
    way,
    name: step,
    perform: perform as RunRequest["perform"],
    ...checked,
    check: schema === undefined ? (result) => result : resultCheck(what, schema),
  };
}

function checkedOptions(options: RunOptions): Omit<RunRequest, "way" | "name" | "perform" | "check"> {
  checkOptions("run option", options, runOptionNames);
  const { idempotencyKey, retry = {}, timeout } = options;
  const isKey = typeof idempotencyKey === "string" && sendableKey.test(idempotencyKey);
  if (idempotencyKey !== undefined && !isKey)
    throw badRequest("an idempotencyKey is 1 to 255 characters of ASCII without spaces");
  return {
    idempotencyKey,
    ...retriesOf(retry),
    timeoutMs: timeout === undefined ? undefined : spanOf("timeout", timeout, turnRange),
  };
}

function retriesOf(
  retry: RetryPolicy,
): Pick<RunRequest, "attemptsMax" | "attemptsChosen" | "delayMs" | "delayMsMax"> {
  checkOptions("retry option", retry, retryNames);
  const { attempts: attemptsChosen, delay = 100, maxDelay = 10_000 } = retry;
  const attempts = attemptsChosen === undefined ? 1 : attemptsChosen;
  if (!Number.isInteger(attempts) || attempts < 1 || attempts > stepAttemptsMax)
    throw badRequest(`attempts of ${shown(attempts)} is not a whole number of 1 to ${stepAttemptsMax}`);
  return {
    attemptsMax: attempts,
    attemptsChosen,
    delayMs: spanOf("delay", delay, turnRange),
    delayMsMax: spanOf("maxDelay", maxDelay, turnRange),
  };
}

function resultCheck(what: string, schema: StandardSchemaV1): RunRequest["check"] {
  const standard = standardOf(`the schema of ${what}`, schema);
  return async (result) => {
    let answer: unknown;
    try {
      answer = await standard.validate(result);
    } catch (cause) {
      throw brokenBy(what, cause);
    }
    return accepted(what, answer, "result", ({ issues, told: words }) => {
      const details = { issues: JSON.stringify(issues) };
      return new VodaError("internal", `${what}: ${words}`, { reason: "invalid_result", details });
    });
  };
}
