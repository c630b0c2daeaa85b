// When something is due that waits: as people say it, checked before anything is taken.
import { type Duration, durationMs } from "./duration.ts";
import { badRequest } from "./session.ts";

/** From now until a timer is due: nobody keeps a session for longer. */
export const timerMsMax = 100 * 366 * 86_400_000;

/** Whole milliseconds from now. @throws VodaError */
export function lengthOf(what: string, value: Duration, minMs: number): number {
  try {
    return durationMs(what, value, { minMs, maxMs: timerMsMax });
  } catch (cause) {
    if (!(cause instanceof TypeError || cause instanceof RangeError)) throw cause;
    throw badRequest(cause.message);
  }
}

/** What a host gives of chance and of the clock where something waits: a new id, milliseconds since 1970. */
export interface TimingWorld {
  readonly uuid: () => string;
  readonly nowMs: () => number;
}

/** Milliseconds since 1970; what is past is due at once. @throws VodaError */
export function timeOf(what: string, value: Date, nowMs: number): number {
  if (!(value instanceof Date)) throw badRequest(`${what} of type ${typeof value} is not a Date`);
  const ms = value.getTime();
  if (Number.isNaN(ms)) throw badRequest(`${what} is an Invalid Date: what it was made of is no time`);
  const lastMs = nowMs + timerMsMax;
  if (ms > lastMs)
    throw badRequest(
      `${what} of ${value.toISOString()} is later than timerMsMax ${timerMsMax} ms from now, ${new Date(lastMs).toISOString()}`,
    );
  return Math.max(0, ms);
}
