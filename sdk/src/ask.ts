// Calls from agent to agent: what a handler writes, and what its host is given to do.
import type { CalledAgent } from "./agent-types.ts";
import { type Duration, durationMs } from "./duration.ts";
import { refuseUnknown, turnRange } from "./options.ts";
import { bodyOf, checkKey, type Input, type Output, properties } from "./session.ts";

/** Options of the asks of one session. */
export interface AskOptions {
  /** How long one may take: 1 ms to 1 hour, and never longer than the asker's own time. */
  readonly timeout?: Duration;
}

/** The handlers of an agent as other agents ask them, internal ones too. */
export type Asked<D extends CalledAgent> =
  D extends CalledAgent<infer H>
    ? { readonly [K in keyof H]: (...input: Input<H[K]>) => Output<H[K]> }
    : never;

/** `ctx.ask` */
export type AskFunction = <D extends CalledAgent>(agent: D, key: string, options?: AskOptions) => Asked<D>;

/** One ask, as the host of the asking handler performs it. */
export interface Ask {
  readonly agent: string;
  readonly key: string;
  readonly method: string;
  /** JSON; `undefined` is no content. */
  readonly body: string | undefined;
  readonly timeoutMs: number | undefined;
}

const optionNames: ReadonlySet<string> = new Set(["timeout"]);

/** For hosts: `ctx.ask` that has them performed so. */
export function askFunction(perform: (ask: Ask) => Promise<unknown>): AskFunction {
  return <D extends CalledAgent>(agent: D, key: string, options: AskOptions = {}) => {
    refuseUnknown("ask option", options, optionNames);
    const timeoutMs =
      options.timeout === undefined ? undefined : durationMs("timeout", options.timeout, turnRange);
    checkKey(key);
    const asks = properties(
      (method) => async (input?: unknown) =>
        perform({ agent: agent.name, key, method, body: bodyOf(input), timeoutMs }),
    );
    return asks as Asked<D>;
  };
}
