// What came from other sessions: per source the highest number that was taken, so that nothing is taken
// twice. A source sends the next number to a target when the one before is over, and not before: none is
// skipped.
import { seenKeepMs, seenMax } from "./constants.ts";
import { idText } from "./id-text.ts";
import type { SeenMark } from "./record-outbox.ts";

/** By the text of the source; the one that sent last is last. Equal to what replay of the lane gives. */
export type Seen = Map<string, SeenMark>;

export const createSeen = (): Seen => new Map();

/** Lower numbers of a source are over, one way or the other: it has gone on. */
export function fateOf(seen: Seen, source: Uint8Array, n: number): "open" | "taken" | "given_up" {
  const mark = seen.get(idText(source));
  if (mark === undefined || n > mark.n) return "open";
  return n === mark.n && mark.isGivenUp ? "given_up" : "taken";
}

/** A source that wants a place, and the session itself: one is kept for what it sends to itself. */
export interface Newcomer {
  readonly source: Uint8Array;
  readonly own: Uint8Array;
  /** Others that run, and may be new too. */
  readonly running: number;
}

/** Whether a letter of this source can be remembered: no source is forgotten before its time. */
export function hasRoom(seen: Seen, { source, own, running }: Newcomer, nowMs: number): boolean {
  const [key, ownKey] = [idText(source), idText(own)];
  const isFree = (): boolean =>
    seen.size + running < (key === ownKey || seen.has(ownKey) ? seenMax : seenMax - 1);
  if (seen.has(key) || isFree()) return true;
  dropOld(seen, nowMs);
  return isFree();
}

export function noteSeen(seen: Seen, mark: SeenMark): void {
  const key = idText(mark.source);
  const before = seen.get(key);
  seen.delete(key);
  // a record that is older than a fold is replayed after it
  seen.set(key, before !== undefined && before.n > mark.n ? before : mark);
}

/** What a fold or a tombstone carries on. */
export function seenAt(seen: Seen, nowMs: number): readonly SeenMark[] {
  dropOld(seen, nowMs);
  return [...seen.values()];
}

/** A letter is never sent when it is as old as that. */
function dropOld(seen: Seen, nowMs: number): void {
  for (const [key, { usedAtMs }] of seen) {
    if (usedAtMs + seenKeepMs > nowMs) return;
    seen.delete(key);
  }
}
