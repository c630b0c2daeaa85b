// A tail that is read from its end, record by record, by what each says of those before it.
import type { SessionName } from "@voda/proto/session";
import { type Crc32, UnsupportedFormatError } from "@voda/state";
import { DecodeError } from "@voda/stdx";
import type { LaneRecord } from "./record.ts";
import type { TrailPart } from "./record-trail.ts";
import { type DecodedRecord, decodeStored, isOf } from "./replay.ts";
import { isSparse } from "./trail.ts";
import type { StoredRecord } from "./types.ts";
import type { Hash } from "./words.ts";

/** The end of a tail, as far as it is read. */
export interface Known {
  /** Ascending, up to the last of the lane. */
  readonly rows: readonly DecodedRecord[];
  /** How many come before them, and the sequence of the first, as the last record says. */
  readonly left: number;
  readonly first: number;
}

/** `undefined`: its tail is read as fast, or faster, all at once. */
export function startTrail(last: DecodedRecord): Known | undefined {
  const trail = trailIn(last.record);
  if (trail === undefined || !isSparse(trail.first, last.seq, trail.count)) return undefined;
  return { rows: [last], left: trail.count, first: trail.first };
}

/** Sequences to read next; `undefined`: what is left lies so close together that it is read all at once. */
export function nextSeqs({ rows: [oldest], left, first }: Known): readonly number[] | undefined {
  const trail = oldest && trailIn(oldest.record);
  return trail !== undefined && isSparse(first, oldest?.seq ?? 0, left) ? trail.seqs : undefined;
}

/** With what was read before it. `undefined`: it is not what the trail has said. */
export function joinTrail(
  { name, crc32, hash }: { readonly name: SessionName; readonly crc32: Crc32; readonly hash: Hash },
  { rows, left, first }: Known,
  stored: readonly StoredRecord[],
): Known | undefined {
  // in steps backwards only, or it would go on for ever
  const isBefore = (stored.at(-1)?.seq ?? Number.POSITIVE_INFINITY) < (rows[0]?.seq ?? 0);
  if (!isBefore) return undefined;
  try {
    const more = stored.map((one) => decodeStored(one, crc32, hash));
    if (!more.every(({ record }) => isOf(name, record))) return undefined;
    return { rows: [...more, ...rows], left: left - more.length, first };
  } catch (error) {
    // whoever reads the tail as it lies says so
    if (error instanceof UnsupportedFormatError || error instanceof DecodeError) return undefined;
    throw error;
  }
}

const trailIn = (record: LaneRecord): TrailPart | undefined =>
  record.type === "turns" ? record.trail : undefined;
