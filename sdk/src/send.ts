// Messages from agent to agent: what a handler writes, and what its host is given to do.
import type { CalledAgent } from "./agent-types.ts";
import { agentNameOf } from "./ask.ts";
import { rpcNameProblem } from "./name.ts";
import { badRequest, bodyOf, checkKey, type Input, properties } from "./session.ts";

/** The handlers of an agent as other agents send to them, internal ones too. */
export type SendSession<D extends CalledAgent> =
  D extends CalledAgent<infer H> ? { readonly [K in keyof H]: (...input: Input<H[K]>) => void } : never;

/** `ctx.send` */
export type SendFunction = <D extends CalledAgent>(agent: D, key: string) => SendSession<D>;

/** One message, as the host of the sending handler takes it. */
export interface SendRequest {
  readonly agent: string;
  readonly key: string;
  readonly method: string;
  /** JSON; `undefined` is no content. */
  readonly body: string | undefined;
}

/** For hosts: `ctx.send` that has them take messages so. What arrives at `take` has been checked. */
export function sendFunction(take: (request: SendRequest) => void): SendFunction {
  return <D extends CalledAgent>(agent: D, key: string) => {
    const name = agentNameOf("ctx.send", agent);
    checkKey(key);
    const sends = properties((method) => (...inputs: unknown[]): void => {
      const problem = rpcNameProblem(method);
      if (problem !== undefined) throw badRequest(`method ${problem}`);
      take({ agent: name, key, method, body: bodyOf(inputs) });
    });
    return sends as SendSession<D>;
  };
}
