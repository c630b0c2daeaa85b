// Lengths of time as people write them.
import { shown } from "./shown.ts";

/**
 * A length of time: a number of milliseconds, or a number with its unit: `"250ms"`, `"2s"`, `"5m"`, `"1h"`,
 * `"7d"`; with blanks between them or without.
 */
export type Duration = number | `${number}${"ms" | "s" | "m" | "h" | "d"}`;

/** Both ends are allowed. */
export interface DurationRange {
  readonly minMs: number;
  readonly maxMs: number;
}

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * Whole milliseconds of a duration.
 * @param what name of the option, for the error
 * @throws TypeError when it is not a duration, RangeError when it is out of range
 */
export function durationMs(what: string, value: Duration, range: DurationRange): number {
  const ms = Math.round(parse(what, value));
  if (ms < range.minMs || ms > range.maxMs)
    throw new RangeError(
      `${what} of ${shown(value)} is out of range: ${told(range.minMs)} to ${told(range.maxMs)}`,
    );
  return ms;
}

function parse(what: string, value: unknown): number {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  const ms = typeof value === "string" ? textMs(value) : Number.NaN;
  if (!Number.isFinite(ms))
    throw new TypeError(
      `${what} of ${shown(value)} is not a duration: ` +
        'write milliseconds, or "250ms", "2s", "5m", "1h", "7d"',
    );
  return ms;
}

/** What a number is, JavaScript says: so does the type, and what compiles is a duration. `NaN` for none. */
function textMs(text: string): number {
  const [unit = "", ms = Number.NaN] = Object.entries(unitMs).find(([one]) => text.endsWith(one)) ?? [];
  const amount = text.slice(0, text.length - unit.length);
  return amount.trim() === "" ? Number.NaN : Number(amount) * ms;
}

/** In the largest unit in which it is whole, as it could be written: `7d`. */
function told(ms: number): string {
  const [unit = "ms", size = 1] =
    Object.entries(unitMs).findLast(([, one]) => ms >= one && ms % one === 0) ?? [];
  return `${ms / size}${unit}`;
}
