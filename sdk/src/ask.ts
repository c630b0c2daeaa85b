// Calls from agent to agent: what a handler writes, and what its host is given to do.
import { identifierProblem } from "@voda/proto/name";
import type { CalledAgent } from "./agent-types.ts";
import { spanOf } from "./due.ts";
import type { Duration } from "./duration.ts";
import { VodaError } from "./error.ts";
import type { Called } from "./json.ts";
import { rpcNameProblem } from "./name.ts";
import { turnRange } from "./options.ts";
import {
  badRequest,
  bodyOf,
  checkKey,
  checkOptions,
  type Input,
  type Output,
  properties,
} from "./session.ts";

/** Options of the asks of one session. */
export interface AskOptions {
  /** How long one may take: 1 ms to 1 hour, and never longer than the asker's own time. */
  readonly timeout?: Duration;
}

/** The handlers of an agent as other agents ask them, internal ones too. */
export type AskSession<D extends CalledAgent> =
  D extends CalledAgent<infer H>
    ? { readonly [K in keyof H]: (...input: Input<H[K]>) => Output<H[K]> } & Called
    : never;

/** `ctx.ask` */
export type AskFunction = <D extends CalledAgent>(
  agent: D,
  key: string,
  options?: AskOptions,
) => AskSession<D>;

/** One ask, as the host of the asking handler performs it. */
export interface AskRequest {
  readonly agent: string;
  readonly key: string;
  readonly method: string;
  /** JSON; `undefined` is no content. */
  readonly body: string | undefined;
  readonly timeoutMs: number | undefined;
}

/**
 * For hosts: a handler has named a session, as in `ctx.ask(stock, "t")`. What it returns is called with each
 * call of a handler of it: without one the name does nothing, which no type shows.
 */
export type NameFunction = (what: string, agent: unknown, key: unknown) => () => void;

/** A key that is too long is shown with its beginning. */
const keyCharsShown = 64;
const optionNames: ReadonlySet<string> = new Set(["timeout"]);

/**
 * For hosts: `ctx.ask` that has them performed so. What arrives at `perform` has been checked: it becomes a
 * frame, and one that cannot be read would end the thread of all sessions of a bundle.
 */
export function askFunction(
  perform: (request: AskRequest) => Promise<unknown>,
  named: NameFunction,
): AskFunction {
  return <D extends CalledAgent>(agent: D, key: string, options: AskOptions = {}) => {
    const target = targetOf(agent, key, options);
    const called = named("ctx.ask", "refusal" in target ? undefined : agent, key);
    const asks = properties((method) => async (...inputs: unknown[]) => {
      called();
      try {
        if ("refusal" in target) throw target.refusal;
        return perform({ ...target, method, body: bodyFor(method, inputs) });
      } catch (refusal) {
        throw refusalOf(`${wayOf("ctx.ask", agent, key)}.${method}`, refusal);
      }
    });
    return asks as AskSession<D>;
  };
}

type Target = Pick<AskRequest, "agent" | "key" | "timeoutMs">;

/**
 * Read once. What is wrong with it rejects the asks: one that threw amid a list of asks would leave those
 * before it to nobody.
 */
function targetOf(agent: unknown, key: string, options: AskOptions): Target | { readonly refusal: unknown } {
  try {
    checkOptions("ask option", options, optionNames);
    const { timeout } = options;
    const timeoutMs = timeout === undefined ? undefined : spanOf("timeout", timeout, turnRange);
    checkKey(key);
    return { agent: agentNameOf("ctx.ask", agent), key, timeoutMs };
  } catch (refusal) {
    return { refusal };
  }
}

/** What was asked or sent, as it is written. */
export function wayOf(what: string, agent: unknown, key: unknown): string {
  const shown = typeof key === "string" ? JSON.stringify(key.slice(0, keyCharsShown)) : typeof key;
  return `${what}(${nameShown(agent)}, ${shown})`;
}

/** The input for a method of that name. @throws VodaError */
export function bodyFor(method: string, inputs: readonly unknown[]): string | undefined {
  const problem = rpcNameProblem(method);
  if (problem !== undefined) throw badRequest(`method ${problem}`);
  return bodyOf(inputs);
}

/** The caller of the handler must not take the refusal for one of its own input. */
export function told<T>(way: string, check: () => T): T {
  try {
    return check();
  } catch (refusal) {
    throw refusalOf(way, refusal);
  }
}

/** Says which of several it was. */
function refusalOf(way: string, refusal: unknown): unknown {
  if (!(refusal instanceof Error)) return refusal;
  const words = `${way}: ${refusal.message}`;
  if (VodaError.is(refusal)) return badRequest(words);
  return refusal instanceof RangeError ? new RangeError(words) : new TypeError(words);
}

/** That of an agent, `?` of what is none. */
export function nameShown(agent: unknown): string {
  const isNamed = typeof agent === "object" && agent !== null && "name" in agent;
  return isNamed && identifierProblem("agent", agent.name) === undefined ? String(agent.name) : "?";
}

/** @throws VodaError for what is no agent, such as the name of one */
export function agentNameOf(what: string, agent: unknown): string {
  const isNamed = typeof agent === "object" && agent !== null && "name" in agent;
  const name = isNamed ? agent.name : undefined;
  const problem = isNamed ? identifierProblem("agent", name) : `a value of type ${typeof agent} is none`;
  if (problem !== undefined || typeof name !== "string")
    throw badRequest(`${what} takes an agent first, as agent(...) makes it: ${problem}`);
  return name;
}
