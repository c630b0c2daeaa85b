// What a session is to do later: what a handler writes, and what its host is given to do.
import type { CalledAgent } from "./agent-types.ts";
import { agentNameOf } from "./ask.ts";
import { lengthOf, type TimingWorld, timeOf } from "./due.ts";
import type { Duration } from "./duration.ts";
import { rpcNameProblem } from "./name.ts";
import type { SendRequest, Timing } from "./send.ts";
import { badRequest, bodyOf, checkKey, type Input, properties } from "./session.ts";

/** When a handler is called, once or again and again. */
export type ScheduleTime =
  | (Only<"in"> & { readonly in: Duration })
  | (Only<"at"> & { readonly at: Date })
  | (Only<"every"> & { readonly every: Duration })
  | (Only<"cron" | "timeZone"> & {
      /** Minute, hour, day, month and weekday, with seconds before them or without, or a name: `@daily`. */
      readonly cron: string;
      /** Whose clocks it goes by: `"Europe/Berlin"`. Default: `"UTC"`. */
      readonly timeZone?: string;
    });

type Only<T extends string> = {
  readonly [K in Exclude<"in" | "at" | "every" | "cron" | "timeZone", T>]?: never;
};

/** What `ctx.schedule` is given beside its target. */
export type ScheduleOptions = ScheduleTime & {
  /** Takes the place of what the session has scheduled under it; 1 to 128 characters. Default: a new one. */
  readonly id?: string;
};

/** The handlers of an agent as they are scheduled; each call returns the timer's id. */
export type ScheduleSession<D extends CalledAgent> =
  D extends CalledAgent<infer H> ? { readonly [K in keyof H]: (...input: Input<H[K]>) => string } : never;

/** `ctx.schedule` */
export type ScheduleFunction = <D extends CalledAgent>(
  agent: D,
  key: string,
  when: ScheduleOptions,
) => ScheduleSession<D>;

/** `ctx.cancel` */
export type CancelFunction = (id: string) => void;

/** Between two times of one timer. */
export const everyMsMin = 1_000;
const idLengthMax = 128;
const cronLengthMax = 128;

/** For hosts: `ctx.schedule`. What arrives at `take` has been checked. */
export function scheduleFunction(take: (request: SendRequest) => void, world: TimingWorld): ScheduleFunction {
  return <D extends CalledAgent>(agent: D, key: string, when: ScheduleOptions) => {
    const name = agentNameOf("ctx.schedule", agent);
    checkKey(key);
    const due = dueOf(when, world);
    const given = when.id;
    if (given !== undefined) checkId(given);
    const schedules = properties((method) => (...inputs: unknown[]): string => {
      const problem = rpcNameProblem(method);
      if (problem !== undefined) throw badRequest(`method ${problem}`);
      const id = given ?? world.uuid();
      take({ agent: name, key, method, body: bodyOf(inputs), timing: { id, due } });
      return id;
    });
    return schedules as ScheduleSession<D>;
  };
}

/** For hosts: `ctx.cancel`. */
export function cancelFunction(take: (request: SendRequest) => void): CancelFunction {
  return (id) => {
    checkId(id);
    take({ agent: "", key: "", method: "", body: undefined, timing: { id, due: { type: "never" } } });
  };
}

/** @throws VodaError for what is no time, or none that will come */
function dueOf(when: ScheduleOptions, { nowMs }: TimingWorld): Timing["due"] {
  const given = typeof when === "object" && when !== null ? when : {};
  const named = (["in", "at", "every", "cron"] as const).filter(
    (name) => Reflect.get(given, name) !== undefined,
  );
  if (named.length !== 1) {
    const found = named.length === 0 ? "none of them" : named.join(" and ");
    throw badRequest(`ctx.schedule takes one of in, at, every and cron; it got ${found}`);
  }
  if (when.at !== undefined) return { type: "at", ms: timeOf("at", when.at, nowMs()) };
  if (when.every !== undefined) return { type: "every", ms: lengthOf("every", when.every, everyMsMin) };
  if (when.cron !== undefined) return cronOf(when.cron, when.timeZone ?? "UTC");
  return { type: "in", ms: lengthOf("in", when.in, 0) };
}

/** What it means, its host knows. */
function cronOf(pattern: unknown, zone: unknown): Timing["due"] {
  for (const [what, text] of Object.entries({ cron: pattern, timeZone: zone }))
    if (typeof text !== "string" || text.length === 0 || text.length > cronLengthMax || !text.isWellFormed())
      throw badRequest(`${what} is a string of 1 to ${cronLengthMax} characters`);
  return { type: "cron", pattern: String(pattern), zone: String(zone) };
}

function checkId(id: unknown): void {
  if (typeof id !== "string" || id.length === 0 || id.length > idLengthMax || !id.isWellFormed())
    throw badRequest(`the id of a timer is a string of 1 to ${idLengthMax} characters`);
}
