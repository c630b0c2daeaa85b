// What a session is to do later: what a handler writes, and what its host is given to do.
import type { Due } from "@voda/proto/timing";
import { cronCharsMax, everyMsMin, timerIdCharsMax } from "@voda/proto/wire";
import type { CalledAgent } from "./agent-types.ts";
import { agentNameOf, bodyFor, type NameFunction, told, wayOf } from "./ask.ts";
import { lengthOf, type TimingWorld, timeOf } from "./due.ts";
import type { Duration } from "./duration.ts";
import type { Called } from "./json.ts";
import type { SendRequest } from "./send.ts";
import { badRequest, checkKey, checkOptions, type Input, properties, textOf } from "./session.ts";

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
  D extends CalledAgent<infer H>
    ? { readonly [K in keyof H]: (...input: Input<H[K]>) => string } & Called
    : never;

/** `ctx.schedule` */
export type ScheduleFunction = <D extends CalledAgent>(
  agent: D,
  key: string,
  when: ScheduleOptions,
) => ScheduleSession<D>;

/** `ctx.cancel` */
export type CancelFunction = (id: string) => void;

const timeNames = ["in", "at", "every", "cron"] as const;
const optionNames: ReadonlySet<string> = new Set([...timeNames, "timeZone", "id"]);

/** For hosts: `ctx.schedule`. What arrives at `take` has been checked. */
export function scheduleFunction(
  take: (request: SendRequest) => void,
  world: TimingWorld,
  named: NameFunction,
): ScheduleFunction {
  return <D extends CalledAgent>(agent: D, key: string, when: ScheduleOptions) => {
    const name = agentNameOf("ctx.schedule", agent);
    const target = wayOf("ctx.schedule", agent, key);
    const { due, given } = told(target, () => {
      checkKey(key);
      return { due: dueOf(when, world), given: when.id === undefined ? undefined : idOf(when.id) };
    });
    const called = named("ctx.schedule", agent, key);
    const schedules = properties((method) => (...inputs: unknown[]): string => {
      called();
      const way = `${target}.${method}`;
      const body = told(way, () => bodyFor(method, inputs));
      const id = given ?? world.uuid();
      take({ way, agent: name, key, method, body, timing: { id, due } });
      return id;
    });
    return schedules as ScheduleSession<D>;
  };
}

/** For hosts: `ctx.cancel`. */
export function cancelFunction(take: (request: SendRequest) => void): CancelFunction {
  return (given) => {
    const id = told("ctx.cancel", () => idOf(given));
    const way = `ctx.cancel(${JSON.stringify(id)})`;
    take({ way, agent: "", key: "", method: "", body: undefined, timing: { id, due: { type: "never" } } });
  };
}

/** @throws VodaError */
function dueOf(when: ScheduleOptions | undefined, { nowMs }: TimingWorld): Due {
  const options = when ?? ({} as ScheduleOptions);
  checkOptions("schedule option", options, optionNames);
  const named = timeNames.filter((name) => options[name] !== undefined);
  if (named.length !== 1) {
    const found = named.length === 0 ? "none of them" : named.join(" and ");
    throw badRequest(`it takes one of ${timeNames.join(", ")}; it got ${found}`);
  }
  if (options.cron !== undefined) return cronOf(options.cron, options.timeZone ?? "UTC");
  if (Reflect.get(options, "timeZone") !== undefined)
    throw badRequest(`timeZone goes with cron, not with ${named.join()}`);
  if (options.at !== undefined) return { type: "at", ms: timeOf("at", options.at, nowMs()) };
  if (options.every !== undefined) return { type: "every", ms: lengthOf("every", options.every, everyMsMin) };
  return { type: "in", ms: lengthOf("in", options.in, 0) };
}

/** What it means, its host knows. */
function cronOf(pattern: unknown, zone: unknown): Due {
  return {
    type: "cron",
    pattern: textOf("cron", pattern, cronCharsMax),
    zone: textOf("timeZone", zone, cronCharsMax),
  };
}

/** Before ids of voda's own, such as those of workflows, whose place one of an author would take. */
const ownId = "_";

function idOf(id: unknown): string {
  const text = textOf("the id of a timer", id, timerIdCharsMax);
  if (text.startsWith(ownId))
    throw badRequest(
      `the id of a timer begins with no "${ownId}": ${JSON.stringify(text)} is for voda's own`,
    );
  return text;
}
