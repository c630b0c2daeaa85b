// What the session has to do without being called, for people who ask what it waits for.
import { ownTimerMark, workflowTimerMark } from "../call/index.ts";
import type { Lane } from "./lane.ts";
import type { Letter } from "./types.ts";

/** Times are the store's. */
export interface LaneWaits {
  /** How many it has sent that are not over. */
  readonly letters: number;
  readonly oldest: Letter | undefined;
  /** Letters for it that are to run alone, and do not yet. */
  readonly alone: number;
  /** Those of its handlers. */
  readonly timers: number;
  readonly nextTimerMs: number | undefined;
  /** When a workflow goes on without a signal. */
  readonly nextWorkflowMs: number | undefined;
}

/** `undefined`: it is not in memory. */
export function waitsOf({ activation }: Lane): LaneWaits | undefined {
  if (activation === undefined) return undefined;
  const { outbox, suspects, timers } = activation;
  const table = [...timers.table.values()];
  const own = table.filter(({ id }) => !id.startsWith(ownTimerMark));
  const ofWorkflows = table.filter(({ id }) => id.startsWith(workflowTimerMark));
  const [oldest] = outbox.letters.values();
  return {
    letters: outbox.letters.size,
    oldest,
    alone: [...suspects.active.values()].filter(({ stage }) => stage === "asked").length,
    timers: own.length,
    nextTimerMs: firstOf(own),
    nextWorkflowMs: firstOf(ofWorkflows),
  };
}

const firstOf = (timers: readonly { readonly dueMs: number }[]): number | undefined =>
  timers.length === 0 ? undefined : timers.reduce((first, { dueMs }) => Math.min(first, dueMs), Infinity);
