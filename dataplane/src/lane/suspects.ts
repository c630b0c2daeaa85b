// Letters that may be what ended their node: the lane says that one begins before it does, so that whoever
// wakes the session next knows under which of them its node has ended (decision 31).
import type { SentId } from "../call/index.ts";
import { nodeClosesMax, seenKeepMs, suspectsMax } from "./constants.ts";
import { idText } from "./id-text.ts";
import type { SuspectChange, SuspectMark } from "./record-suspects.ts";
import type { Incarnation, World } from "./types.ts";

/** One that is under way here. */
export interface ActiveSuspect {
  readonly id: SentId;
  /** asked, granted: whether it may run alone. writing: its mark is in no record yet. begun: it is. */
  readonly stage: "asked" | "granted" | "writing" | "begun";
  /** The call that asked to run alone, and has not said yet that it does no more. */
  readonly alone: number | undefined;
}

/** The slice. All of it is by the text of the source, which has one letter on its way here at a time. */
export interface Suspects {
  /** Begun, and not ended. Equal to what replay of the lane gives. */
  readonly marks: Map<string, SuspectMark>;
  /** At most as many as there is work. */
  readonly active: Map<string, ActiveSuspect>;
  /** Numbers of those that have ended in this memory: they begin again without a mark. */
  readonly ended: Map<string, number>;
  /** What no record says yet: of each source the last word. */
  readonly pending: Map<string, SuspectChange>;
}

export const createSuspects = (): Suspects => ({
  marks: new Map(),
  active: new Map(),
  ended: new Map(),
  pending: new Map(),
});

/** How far it is, in this memory; `undefined`: this memory does not know it. */
export function stageOf(
  { active, ended }: Suspects,
  { source, n }: SentId,
): ActiveSuspect["stage"] | "ended" | undefined {
  const key = idText(source);
  const found = active.get(key);
  if (found?.id.n === n) return found.stage;
  return ended.get(key) === n ? "ended" : undefined;
}

/** Its last beginning; `undefined`: none, or it has ended. */
export function suspicionOf({ marks }: Suspects, { source, n }: SentId): SuspectMark | undefined {
  const mark = marks.get(idText(source));
  return mark?.n === n ? mark : undefined;
}

/** Nodes that have ended under it, and that were closed. */
export type Tally = Pick<SuspectMark, "ends" | "closes">;

/**
 * With that of the last beginning. One that lives has not ended, nor one whose process goes on under another
 * lease. One that was closed in order says so; but a handler can have its own node closed.
 */
export function tallyOf({ ends, closes, incarnation }: SuspectMark, world: World): Tally {
  const standing = world.standing(incarnation);
  if (standing.type === "living" || standing.successor !== undefined) return { ends, closes };
  const isFree = world.wasClosed(incarnation) && closes < nodeClosesMax;
  return isFree ? { ends, closes: closes + 1 } : { ends: ends + 1, closes };
}

/** Whether a record more than the next one would be needed. */
export const isFull = ({ pending }: Suspects): boolean => pending.size >= suspectsMax;

/** It is to run while no other suspect of its node does. */
export function askAlone({ active }: Suspects, id: SentId, call: number): void {
  active.set(idText(id.source), { id, stage: "asked", alone: call });
}

/** The call that asked may begin. */
export function grantAlone({ active }: Suspects, call: number): void {
  for (const [key, one] of active)
    if (one.alone === call && one.stage === "asked") active.set(key, { ...one, stage: "granted" });
}

/** Others may begin. */
export function endAlone({ active }: Suspects, { id }: ActiveSuspect): void {
  const key = idText(id.source);
  const one = active.get(key);
  if (one !== undefined) active.set(key, { ...one, alone: undefined });
}

/** It begins once a record has the mark. */
export function markBegin({ active, pending }: Suspects, id: SentId, mark: SuspectMark): void {
  const key = idText(id.source);
  active.set(key, { id, stage: "writing", alone: active.get(key)?.alone });
  pending.set(key, { type: "begun", mark });
}

/**
 * Nobody runs it any more, and this node lives: whatever became of it, that is not its fault. Of a beginning
 * that no record says the lane needs to say nothing: the one before it, on another node, stays.
 */
export function endActive(suspects: Suspects, { id, stage }: ActiveSuspect, own: Incarnation): void {
  const { active, ended, pending } = suspects;
  const key = idText(id.source);
  const mark = suspicionOf(suspects, id);
  active.delete(key);
  const isOnItsWay = stage === "writing" && !pending.delete(key);
  const isOwn = stage === "begun" ? mark !== undefined : isOnItsWay || mark?.incarnation === own;
  if (!isOwn) return;
  pending.set(key, { type: "ended", source: id.source });
  if (stage !== "begun") return;
  ended.set(key, id.n);
  keepNewest(ended);
}

const nothing: readonly SuspectChange[] = [];

/** For the next record: as many as one holds. */
export function takeSuspects({ pending }: Suspects): readonly SuspectChange[] {
  if (pending.size === 0) return nothing;
  const taken = [...pending].slice(0, suspectsMax);
  for (const [key] of taken) pending.delete(key);
  return taken.map(([, change]) => change);
}

/** For a fold. `isLast`: nothing is said after it, so that it leaves out what has ended since. */
export function suspectsAt(
  { marks, pending }: Suspects,
  nowMs: number,
  isLast: boolean,
): readonly SuspectChange[] {
  // what is never sent again
  for (const [key, { atMs }] of marks) if (atMs + seenKeepMs <= nowMs) marks.delete(key);
  const kept = [...marks].filter(([key]) => !isLast || pending.get(key)?.type !== "ended");
  return kept.map(([, mark]) => ({ type: "begun", mark }));
}

/** The record lies in the lane: those that it marks may begin. */
export function acceptSuspects(suspects: Suspects, changes: readonly SuspectChange[]): void {
  const { active } = suspects;
  noteSuspects(suspects, changes);
  for (const change of changes) {
    if (change.type === "ended") continue;
    const key = idText(change.mark.source);
    const one = active.get(key);
    if (one?.stage === "writing" && one.id.n === change.mark.n) active.set(key, { ...one, stage: "begun" });
  }
}

/** The same of a record that is replayed. */
export function noteSuspects({ marks }: Suspects, changes: readonly SuspectChange[]): void {
  for (const change of changes) {
    const key = idText(change.type === "begun" ? change.mark.source : change.source);
    marks.delete(key);
    if (change.type === "begun") marks.set(key, change.mark);
  }
  keepNewest(marks);
}

/** Letters up to this one are over: they were taken, or never will be. */
export function endSuspect({ marks, ended }: Suspects, source: Uint8Array, n: number): void {
  if (marks.size === 0 && ended.size === 0) return;
  const key = idText(source);
  if ((marks.get(key)?.n ?? n) <= n) marks.delete(key);
  if ((ended.get(key) ?? n) <= n) ended.delete(key);
}

/** Those that were set first go. */
function keepNewest(table: Map<string, unknown>): void {
  for (const first of table.keys()) {
    if (table.size <= suspectsMax) return;
    table.delete(first);
  }
}
