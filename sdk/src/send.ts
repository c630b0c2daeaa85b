// Messages from agent to agent: what a handler writes, and what its host is given to do.
import type { Due, Timing } from "@voda/proto/timing";
import type { CalledAgent } from "./agent-types.ts";
import { agentNameOf, bodyFor, type NameFunction, told, wayOf } from "./ask.ts";
import { lengthOf, type TimingWorld, timeOf } from "./due.ts";
import type { Duration } from "./duration.ts";
import type { Called } from "./json.ts";
import { badRequest, checkKey, checkOptions, type Input, properties } from "./session.ts";

const optionNames: ReadonlySet<string> = new Set(["delay", "at"]);

/** The handlers of an agent as other agents send to them, internal ones too. */
export type SendSession<D extends CalledAgent> =
  D extends CalledAgent<infer H>
    ? { readonly [K in keyof H]: (...input: Input<H[K]>) => void } & Called
    : never;

/** A message that does not leave at once: it waits with the timers of its sender, without an order. */
export type SendOptions =
  | { readonly delay: Duration; readonly at?: never }
  | { readonly at: Date; readonly delay?: never };

/** `ctx.send` */
export type SendFunction = <D extends CalledAgent>(
  agent: D,
  key: string,
  options?: SendOptions,
) => SendSession<D>;

/** One message, as the host of the sending handler takes it. */
export interface SendRequest {
  /** As it is written: `ctx.send(stock, "t").take`. */
  readonly way: string;
  readonly agent: string;
  readonly key: string;
  readonly method: string;
  /** JSON; `undefined` is no content. */
  readonly body: string | undefined;
  /** Absent: it leaves with the turn. */
  readonly timing?: Timing;
}

/** For hosts: `ctx.send` that has them take messages so. What arrives at `take` has been checked. */
export function sendFunction(
  take: (request: SendRequest) => void,
  world: TimingWorld,
  named: NameFunction,
): SendFunction {
  return <D extends CalledAgent>(agent: D, key: string, options?: SendOptions) => {
    const name = agentNameOf("ctx.send", agent);
    const target = wayOf("ctx.send", agent, key);
    const due = told(target, () => {
      checkKey(key);
      return options && dueOf(options, world);
    });
    const called = named("ctx.send", agent, key);
    const sends = properties((method) => (...inputs: unknown[]): void => {
      called();
      const way = `${target}.${method}`;
      const body = told(way, () => bodyFor(method, inputs));
      take({ way, agent: name, key, method, body, ...(due && { timing: { id: world.uuid(), due } }) });
    });
    return sends as SendSession<D>;
  };
}

/** @throws VodaError */
function dueOf(options: SendOptions, { nowMs }: TimingWorld): Due {
  checkOptions("send option", options, optionNames);
  const { delay, at } = options;
  if (delay !== undefined && at !== undefined) throw badRequest("it takes delay or at, not both");
  if (at !== undefined) return { type: "at", ms: timeOf("at", at, nowMs()) };
  if (delay === undefined) throw badRequest("the options are delay and at; it got none of them");
  return { type: "in", ms: lengthOf("delay", delay, 0) };
}
