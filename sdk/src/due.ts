// When something is due that waits: as people say it, checked before anything is taken.
import { timerMsMax } from "@voda/proto/wire";
import { type Duration, type DurationRange, durationMs } from "./duration.ts";
import { badRequest } from "./session.ts";

/** As far from 1970 as a Date goes. */
const dateMsMax = 8.64e15;

/** Whole milliseconds from now. @throws VodaError */
export const lengthOf = (what: string, value: Duration, minMs: number): number =>
  spanOf(what, value, { minMs, maxMs: timerMsMax });

/** Whole milliseconds. @throws VodaError */
export function spanOf(what: string, value: Duration, range: DurationRange): number {
  try {
    return durationMs(what, value, range);
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
  // one of a class of its own may give anything
  if (!Number.isInteger(ms) || Math.abs(ms) > dateMsMax)
    throw badRequest(`${what} is a Date whose time is no whole number of milliseconds, or beyond all dates`);
  const lastMs = nowMs + timerMsMax;
  if (ms > lastMs)
    throw badRequest(
      `${what} of ${new Date(ms).toISOString()} is later than timerMsMax ${timerMsMax} ms from now, ${new Date(lastMs).toISOString()}`,
    );
  return Math.max(0, ms);
}
