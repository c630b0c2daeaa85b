// Where the records of the lane lie that replay needs: each record says it of those before it.
import { sparseMin, trailMax } from "./constants.ts";
import type { TrailPart } from "./record-trail.ts";

/** From the first record that replay needs to the last of the lane. */
export interface Trail {
  /** Position of the first. */
  fromN: number;
  /** Its sequence; 0: there is none. */
  first: number;
  /** Of the last `trailMax`, ascending; of void records too. Records share the list: it never changes. */
  seqs: readonly number[];
}

/** `rows`: all that were read, from the first that replay needs, which is at position `fromN`. */
export const openTrail = (fromN: number, rows: readonly { readonly seq: number }[]): Trail => ({
  fromN,
  first: rows[0]?.seq ?? 0,
  seqs: rows.slice(-trailMax).map(({ seq }) => seq),
});

/** One more lies at `seq`. */
export function addTrail(trail: Trail, seq: number): void {
  if (trail.seqs.length === 0) trail.first = seq;
  const kept = trail.seqs.length === trailMax ? trail.seqs.slice(1) : trail.seqs.slice();
  kept.push(seq);
  trail.seqs = kept;
}

/** A fold covers what lies up to `seq`, which is at position `n`. */
export function cutTrail(trail: Trail, { seq, n }: { readonly seq: number; readonly n: number }): void {
  trail.fromN = n + 1;
  // where more than `trailMax` lie after it nobody knows the first, but that it comes later
  const isKnown = trail.first > seq || trail.seqs.some((one) => one <= seq);
  trail.seqs = trail.seqs.filter((one) => one > seq);
  trail.first = isKnown ? (trail.seqs[0] ?? 0) : seq + 1;
}

/** For the record after the one at position `n`. */
export function trailAt({ fromN, first, seqs }: Trail, n: number): TrailPart | undefined {
  if (seqs.length === 0) return undefined;
  return { count: Math.max(seqs.length, n + 1 - fromN), first, seqs };
}

/** Whether `count` records before `seq`, from `first` on, are read faster one by one than all at once. */
export const isSparse = (first: number, seq: number, count: number): boolean =>
  seq - first >= sparseMin * count;
