// Letters that may be what ended their node: the lane says that one begins before it does, so that whoever
// wakes the session next knows under which of them its node has ended (decision 31).
import type { CallId } from "../call/index.ts";
import { seenKeepMs, suspectsMax } from "./constants.ts";
import { idText } from "./id-text.ts";
import type { SuspectChange, SuspectMark } from "./record-suspects.ts";
import type { Incarnation } from "./types.ts";

type SentId = Extract<CallId, { type: "sent" }>;

/** The slice. */
export interface Suspects {
  /** By the text of the source: begun, and not ended. Equal to what replay of the lane gives. */
  readonly marks: Map<string, SuspectMark>;
  /** The same of those that this memory knows. writing: its mark is in no record yet. */
  readonly known: Map<string, { readonly id: SentId; readonly stage: "writing" | "begun" | "ended" }>;
  /** What no record says yet. */
  pending: SuspectChange[];
  /** Calls that are to run while no other suspect of the node does: asked for, and granted. */
  readonly alone: Map<number, "asked" | "granted">;
}

export const createSuspects = (): Suspects => ({
  marks: new Map(),
  known: new Map(),
  pending: [],
  alone: new Map(),
});

/** How far it is, in this memory; `undefined`: this memory does not know it. */
export function stageOf({ known }: Suspects, { source, n }: SentId) {
  const found = known.get(idText(source));
  return found?.id.n === n ? found.stage : undefined;
}

/** Its last beginning; `undefined`: none, or it has ended. */
export function suspicionOf({ marks }: Suspects, { source, n }: SentId): SuspectMark | undefined {
  const mark = marks.get(idText(source));
  return mark?.n === n ? mark : undefined;
}

/** Nodes that have ended since it began, with that of the last beginning: one that lives has not. */
export const endsOf = ({ ends, incarnation }: SuspectMark, own: Incarnation): number =>
  incarnation === own ? ends : ends + 1;

/** It begins once a record has the mark. */
export function markBegin(suspects: Suspects, id: SentId, mark: SuspectMark): void {
  suspects.known.set(idText(id.source), { id, stage: "writing" });
  suspects.pending.push({ type: "begun", mark });
}

/** It has ended, or never will begin, and the node lives. */
export function markEnd(suspects: Suspects, id: SentId): void {
  suspects.known.set(idText(id.source), { id, stage: "ended" });
  suspects.pending.push({ type: "ended", source: id.source });
}

/** How the call stands that is to run alone. */
export function setAlone({ alone }: Suspects, call: number, stage: "asked" | "granted"): void {
  alone.set(call, stage);
}

/** The call is over. */
export function forgetAlone({ alone }: Suspects, call: number): void {
  alone.delete(call);
}

/** For the next record. */
export function takeSuspects(suspects: Suspects): readonly SuspectChange[] {
  const { pending } = suspects;
  suspects.pending = [];
  return pending;
}

/** For a fold: what has ended is not begun, whether a record says so or not, nor what is never sent again. */
export function suspectsAt({ marks, pending }: Suspects, nowMs: number): readonly SuspectChange[] {
  const over = new Set(pending.flatMap((one) => (one.type === "ended" ? [idText(one.source)] : [])));
  const kept = [...marks].filter(([key, { atMs }]) => !over.has(key) && atMs + seenKeepMs > nowMs);
  return kept.map(([, mark]) => ({ type: "begun", mark }));
}

/** The record lies in the lane: those that it marks may begin. */
export function acceptSuspects(suspects: Suspects, changes: readonly SuspectChange[]): void {
  noteSuspects(suspects, changes);
  for (const [key, { id, stage }] of suspects.known)
    if (stage === "writing" && suspects.marks.get(key)?.n === id.n)
      suspects.known.set(key, { id, stage: "begun" });
}

/** The same of a record that is replayed. */
export function noteSuspects({ marks }: Suspects, changes: readonly SuspectChange[]): void {
  for (const change of changes) {
    const key = idText(change.type === "begun" ? change.mark.source : change.source);
    marks.delete(key);
    if (change.type === "begun") marks.set(key, change.mark);
  }
  for (const first of marks.keys()) {
    if (marks.size <= suspectsMax) return;
    marks.delete(first);
  }
}

/** Letters up to this one are over: they were taken, or never will be. */
export function endSuspect(suspects: Suspects, source: Uint8Array, n: number): void {
  if (suspects.marks.size === 0 && suspects.known.size === 0) return;
  const key = idText(source);
  if ((suspects.marks.get(key)?.n ?? n) <= n) suspects.marks.delete(key);
  if ((suspects.known.get(key)?.id.n ?? n) <= n) suspects.known.delete(key);
}
