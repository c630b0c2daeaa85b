// The high-water mark of a session: the last record that its lane has had acknowledged, kept in a stream
// beside the log. A lane that lost its end looks like one that never had it; the mark tells them apart.
import type { SessionName } from "./name.ts";
import { decodeNameRecord, encodeNameRecord } from "./session.ts";

/** Bytes of the hash of a record. */
const hashBytes = 16;
const headBytes = 2 + 8 + 8 + hashBytes;
const version = 1;
const flag = { gone: 1, accepted: 2 } as const;

export interface Mark {
  /** Of the record: its sequence in the log, its position in the lane, and 16 bytes of SHA-256 over it. */
  readonly seq: number;
  readonly n: number;
  readonly hash: Uint8Array;
  /** It is a tombstone, which goes by itself: an empty lane is right too. */
  readonly isGone: boolean;
  /** Somebody accepted that the lane is behind: the session goes on from what is there. */
  readonly isAccepted: boolean;
}

/** What is left of a session whose last record is not there. A name alone is of a lane that was lost. */
export type Traces = "nothing" | "records" | "name";

/** A record as far as marks know it. */
export type Marked = Pick<Mark, "seq" | "hash">;

export function encodeMark(mark: Mark, name: SessionName): Uint8Array {
  const text = encodeNameRecord(name);
  const bytes = new Uint8Array(headBytes + text.length);
  const view = new DataView(bytes.buffer);
  bytes[0] = version;
  bytes[1] = (mark.isGone ? flag.gone : 0) | (mark.isAccepted ? flag.accepted : 0);
  view.setFloat64(2, mark.seq, true);
  view.setFloat64(10, mark.n, true);
  bytes.set(mark.hash.subarray(0, hashBytes), 18);
  bytes.set(text, headBytes);
  return bytes;
}

/** `undefined` when the bytes are no mark. */
export function decodeMark(bytes: Uint8Array): { mark: Mark; name: SessionName } | undefined {
  if (bytes[0] !== version) return undefined;
  const name = decodeNameRecord(bytes.subarray(headBytes));
  const flags = bytes[1] ?? 0;
  if (name === undefined) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const mark = {
    seq: view.getFloat64(2, true),
    n: view.getFloat64(10, true),
    hash: bytes.slice(18, headBytes),
    isGone: (flags & flag.gone) !== 0,
    isAccepted: (flags & flag.accepted) !== 0,
  };
  return { mark, name };
}

/**
 * Whether the lane lacks what the mark names. `rows` are its last records, ascending, all from the first of
 * them on. What is there beyond the mark is right: marks follow their records.
 */
export function isBehind(mark: Mark, rows: readonly Marked[]): boolean {
  const last = rows.at(-1);
  if (last === undefined) return !mark.isGone;
  const same = rows.find(({ seq }) => seq === mark.seq);
  if (same !== undefined) return !mark.hash.every((byte, i) => byte === same.hash[i]);
  return last.seq < mark.seq || (rows[0]?.seq ?? 0) < mark.seq;
}

/**
 * Whether a mark may take the place of the stored one: marks come late, also from nodes that were
 * stopped.
 */
export const mayReplace = (mark: Mark, stored: Mark): boolean =>
  stored.isAccepted ? isBehind(stored, [mark]) || mark.seq > stored.seq : mark.seq > stored.seq;
