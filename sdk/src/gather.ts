// Several asks at once, of which enough must succeed.
import { spanOf } from "./due.ts";
import type { Duration } from "./duration.ts";
import { VodaError } from "./error.ts";
import { turnRange } from "./options.ts";
import { badRequest, checkOptions } from "./session.ts";
import { shown } from "./shown.ts";
import { isThenable } from "./thenable.ts";

/** Options of a gathering. */
export interface GatherOptions {
  /** How many must succeed; the rest is not waited for. Default: all. */
  readonly min?: number;
  /** How long to wait at most: 1 ms to 1 hour. Default: until each has ended. */
  readonly timeout?: Duration;
}

/** What came of a gathering: of asks of several types, one list of all of them. */
export interface Gathered<R> {
  /** In the order of the calls. Fewer than `min` when too many failed, or the time was over. */
  readonly ok: R[];
  /** In the order of the calls. */
  readonly failed: VodaError[];
  /** Calls that had not ended. They go on, and nobody hears of them. */
  readonly late: number;
}

/** `ctx.gather` */
export type GatherFunction = <P extends Promise<unknown>>(
  calls: readonly P[],
  options?: GatherOptions,
) => Promise<Gathered<Awaited<P>>>;

const optionNames: ReadonlySet<string> = new Set(["min", "timeout"]);

/** Calls `act` once, later; returns how to take that back. */
export type After = (ms: number, act: () => void) => () => void;

type Ended<R> = { readonly ok: true; readonly value: R } | { readonly ok: false; readonly error: VodaError };

/**
 * For hosts: `ctx.gather` by their timers. It never rejects for what a call rejects with. @throws VodaError
 * for what is no list of calls, and for a bad option
 */
export const gatherFunction =
  (after: After): GatherFunction =>
  (calls, options = {}) =>
    gather(after, calls, options);

async function gather<P extends Promise<unknown>>(
  after: After,
  calls: readonly P[],
  options: GatherOptions,
): Promise<Gathered<Awaited<P>>> {
  hear(calls);
  checkOptions("ctx.gather: option", options, optionNames);
  refuseOthers(calls);
  const { min = calls.length, timeout } = options;
  if (!Number.isInteger(min) || min < 0 || min > calls.length)
    throw badRequest(
      `ctx.gather: min of ${shown(min)} is not a whole number of 0 to ${calls.length}, the number of calls`,
    );
  const ended = new Array<Ended<Awaited<P>> | undefined>(calls.length).fill(undefined);
  const { promise, resolve } = Promise.withResolvers<void>();
  let waiting = calls.length;
  let missing = min;
  const end = (at: number, one: Ended<Awaited<P>>): void => {
    ended[at] = one;
    waiting -= 1;
    if (one.ok) missing -= 1;
    if (missing <= 0 || missing > waiting) resolve();
  };
  // a thenable of somebody's own may throw, or settle twice
  for (const [at, call] of calls.entries())
    Promise.resolve(call).then(
      (value) => end(at, { ok: true, value }),
      (error: unknown) => end(at, { ok: false, error: VodaError.from(error) }),
    );
  if (missing === 0) resolve();
  const cancel =
    timeout === undefined ? undefined : after(spanOf("ctx.gather: timeout", timeout, turnRange), resolve);
  await promise;
  cancel?.();
  return {
    ok: ended.flatMap((one) => (one?.ok === true ? [one.value] : [])),
    failed: ended.flatMap((one) => (one?.ok === false ? [one.error] : [])),
    late: waiting,
  };
}

/** Whatever is refused here: calls that fail after it are not of nobody. */
function hear(calls: unknown): void {
  void Promise.allSettled(Array.isArray(calls) ? calls : [calls]);
}

/** `ctx.ask(agent, key)` without its method is easily written, and is no call yet. */
function refuseOthers(calls: unknown): void {
  if (isThenable(calls))
    throw badRequest("ctx.gather takes a list of calls, not one: write [call], or await it");
  if (!Array.isArray(calls)) throw badRequest(`ctx.gather takes a list of calls, not ${typeof calls}`);
  const at = calls.findIndex((call) => !isThenable(call));
  if (at >= 0)
    throw badRequest(`item ${at} of what ctx.gather takes is of type ${typeof calls[at]}: no call`);
}
