// When a dead child is started again: pure.

/** One end of a child that nobody asked for. */
export interface Death {
  readonly atMs: number;
  /** It was serving, and somebody sent SIGKILL: no fault of its own. */
  readonly killed: boolean;
}

/** What the supervisor does about the last death. */
export type Restart =
  | { readonly type: "again"; readonly delayMs: number }
  | { readonly type: "give_up"; readonly failures: number };

/** Within `windowMs`: so many are no accident, and whoever watches must see the reason. */
const failuresMax = 5;
/** A child that has run for longer since a death has recovered from it. */
export const windowMs = 10_000;
const firstBackoffMs = 100;
const backoffMsMax = 1000;

/** Deaths that still count at `nowMs`. */
export function recentDeaths(deaths: readonly Death[], nowMs: number): readonly Death[] {
  return deaths.filter((death) => nowMs - death.atMs <= windowMs);
}

/** The first death is mended at once, the next ones after 100, 200, 400 ms and at most a second. */
export function restartAfter(deaths: readonly Death[]): Restart {
  const failures = deaths.filter((death) => !death.killed).length;
  if (failures >= failuresMax) return { type: "give_up", failures };
  const earlier = deaths.length - 1;
  return {
    type: "again",
    delayMs: earlier <= 0 ? 0 : Math.min(backoffMsMax, firstBackoffMs * 2 ** (earlier - 1)),
  };
}
