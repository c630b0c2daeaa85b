// How long nobody was answered, and what was answered while a part was down.
import type { Kill, KillTarget } from "./killing.ts";

/** One call that was answered; times as `performance.now()` has them. */
export interface Answered {
  readonly startedMs: number;
  readonly answeredMs: number;
  /** Its session slept, or was not there yet. */
  readonly isWake: boolean;
}

/** From the first call to the last answer. */
export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Of the times in which one of a kind of parts was down. */
export interface WhileDown {
  readonly downMs: number;
  /** Begun and answered within one of them. */
  readonly calls: number;
  readonly wakes: number;
}

/**
 * The longest time without an answer of those that begin in the span, at its begin or with an answer.
 * @param times of answers, ascending
 * @param endMs when nobody waited for answers any more
 */
export function longestGapMs(times: readonly number[], { fromMs, toMs }: Span, endMs: number): number {
  let longest = 0;
  let before = fromMs;
  for (const at of times) {
    if (at <= fromMs) continue;
    longest = Math.max(longest, at - before);
    before = at;
    if (before >= toMs) return longest;
  }
  return Math.max(longest, endMs - before);
}

/** Of each kill, the longest gap until the next one. */
export function gapsOf(kills: readonly Kill[], times: readonly number[], endMs: number): readonly number[] {
  return kills.map(({ atMs }, i) =>
    longestGapMs(times, { fromMs: atMs, toMs: kills[i + 1]?.atMs ?? endMs }, endMs),
  );
}

/** By what was killed; a worker is not seen to be down. */
export function whileDown(
  kills: readonly Kill[],
  answered: readonly Answered[],
): Partial<Record<KillTarget, WhileDown>> {
  const targets = [...new Set(kills.map(({ target }) => target))].filter((target) => target !== "worker");
  return Object.fromEntries(
    targets.map((target) => {
      const spans = kills.filter((kill) => kill.target === target);
      const within = answered.filter(({ startedMs, answeredMs }) =>
        spans.some(({ atMs, downUntilMs }) => startedMs >= atMs && answeredMs <= downUntilMs),
      );
      return [
        target,
        {
          downMs: Math.round(spans.reduce((sum, { atMs, downUntilMs }) => sum + downUntilMs - atMs, 0)),
          calls: within.length,
          wakes: within.filter(({ isWake }) => isWake).length,
        },
      ];
    }),
  );
}

const barWidthMax = 40;

/** A line per kill. */
export function gapPlot(kills: readonly Kill[], gaps: readonly number[], fromMs: number): readonly string[] {
  const most = Math.max(...gaps, 1);
  return kills.map(({ target, part, atMs }, i) => {
    const gap = gaps[i] ?? 0;
    const at = ((atMs - fromMs) / 1000).toFixed(1).padStart(6);
    const bar = "█".repeat(Math.max(1, Math.round((gap / most) * barWidthMax)));
    const name = target === part ? part : `${target} ${part}`;
    return `${at} s  ${name.padEnd(12)} ${bar} ${Math.round(gap)} ms`;
  });
}
