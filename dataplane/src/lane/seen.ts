// What came from other sessions: per source the highest number that was taken, so that nothing is taken
// twice. A source sends the next number to a target when the one before is over, and not before: none is
// skipped.
import { seenKeepMs, seenMax } from "./constants.ts";
import { idText } from "./id-text.ts";
import type { SeenMark } from "./record-outbox.ts";

/** By the text of the source; the one that sent last is last. Equal to what replay of the lane gives. */
export type Seen = Map<string, SeenMark>;

export const createSeen = (): Seen => new Map();

/** Whether the letter was taken before. */
export const wasSeen = (seen: Seen, source: Uint8Array, n: number): boolean =>
  n <= (seen.get(idText(source))?.n ?? 0);

/** Whether a letter of this source can be remembered: no source is forgotten before its time. */
export function hasRoom(seen: Seen, source: Uint8Array, running: number, nowMs: number): boolean {
  if (seen.has(idText(source)) || seen.size + running < seenMax) return true;
  dropOld(seen, nowMs);
  return seen.size + running < seenMax;
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
