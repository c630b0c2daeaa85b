// Times that come again by the calendar of some place: croner reads the patterns, and knows its clocks.
import type { CronTime } from "@voda/proto/timing";
import { Cron } from "croner";

interface Known {
  readonly cron: Cron;
  /** The next time after `afterMs`, and so after every time between them. */
  afterMs: number;
  nextMs: number;
}

/**
 * By zone and pattern. A look at the calendar takes 0.1 ms, 0.5 ms for a day that comes in twenty years, and
 * a pattern twice that; 30 ms for one that never comes, which nobody may set.
 */
const known = new Map<string, Known>();
const knownMax = 256;

/** Milliseconds since 1970; `undefined`: never again. @throws Error for what is no pattern or no zone */
export function nextCronMs({ pattern, zone }: CronTime, afterMs: number): number | undefined {
  const name = `${zone} ${pattern}`;
  const found = known.get(name) ?? { cron: new Cron(pattern, { timezone: zone }), afterMs: 0, nextMs: 0 };
  if (known.size >= knownMax) known.clear();
  known.set(name, found);
  if (afterMs < found.afterMs || afterMs >= found.nextMs) {
    // oxlint-disable-next-line no-restricted-globals -- what croner takes a time in; no clock is read
    const next = found.cron.nextRun(new Date(afterMs));
    found.afterMs = afterMs;
    found.nextMs = next === null ? Number.POSITIVE_INFINITY : next.getTime();
  }
  return found.nextMs === Number.POSITIVE_INFINITY ? undefined : found.nextMs;
}

/** The same of a timer that was set; one that cannot be read any more never comes again. */
export function laterCronMs(time: CronTime, afterMs: number): number | undefined {
  try {
    return nextCronMs(time, afterMs);
  } catch {
    return undefined; // its thread had replaced a builtin, or another version of croner took it
  }
}

/** The same of a timer that is set. @throws Error also for a pattern with years, and for a single date */
export function firstCronMs(time: CronTime, nowMs: number): number | undefined {
  const { pattern } = time;
  const fields = pattern.trim().split(/\s+/).length;
  // years would make a look as long as one likes, and a date comes once: that is what `at` is for
  if (!pattern.startsWith("@") && fields !== 5 && fields !== 6)
    throw new TypeError(`a pattern has five fields, or six with seconds first, and not ${fields}`);
  const year = /\s(\d{4})$/.exec(pattern.trimEnd())?.[1];
  if (year !== undefined) throw new TypeError(`a pattern has no year, and its last field is ${year}: use at`);
  return nextCronMs(time, nowMs);
}
