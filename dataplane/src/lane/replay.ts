// What a range of records says: the chain that links, and where an activation starts from.
import type { SessionName } from "@voda/proto/session";
import type { Crc32 } from "@voda/state";
import { bytesEqual } from "@voda/stdx";
import { createDedupe, type Dedupe, restoreAnswers, storeAnswer } from "./dedupe.ts";
import { createJournals, type Journals, replayJournal } from "./journals.ts";
import { createOutbox, type Outbox, replayLetters } from "./outbox.ts";
import { decodeRecord, type FoldRecord, type GoneRecord, type LaneRecord } from "./record.ts";
import type { SeenMark } from "./record-outbox.ts";
import type { SuspectChange } from "./record-suspects.ts";
import { createSeen, noteSeen, type Seen } from "./seen.ts";
import { createSuspects, endSuspect, noteSuspects, type Suspects } from "./suspects.ts";
import { applyTimers, createTimers, type TimerChange, type Timers } from "./timers.ts";
import { openTrail, type Trail } from "./trail.ts";
import type { StoredRecord } from "./types.ts";
import { type Hash, idBytes, noRecord, type RecordId, sameRecord } from "./words.ts";

/** A record of the lane as it was read, with what the store knows of it. */
export interface DecodedRecord {
  readonly seq: number;
  readonly atMs: number;
  readonly record: LaneRecord;
  readonly bytes: number;
  /** Of its bytes: the record after it names it. */
  readonly hash: Uint8Array;
}

/** @throws DecodeError, UnsupportedFormatError */
export function decodeStored({ seq, atMs, bytes }: StoredRecord, crc32: Crc32, hash: Hash): DecodedRecord {
  return { seq, atMs, record: decodeRecord(bytes, crc32), bytes: bytes.length, hash: hash(bytes) };
}

/** Two names may have one token: some records say whose they are. */
export const isOf = (name: SessionName, { name: its }: LaneRecord): boolean =>
  its === undefined || (its.namespace === name.namespace && its.agent === name.agent && its.key === name.key);

interface FoldRow {
  readonly seq: number;
  readonly atMs: number;
  readonly record: FoldRecord;
}

/** Everything that a claim goes on from. */
export interface Base {
  /** Last sequence of the lane, and its record; a void record may lie there. */
  readonly expect: number;
  readonly tip: RecordId;
  /** The last record that links. */
  readonly prev: RecordId;
  readonly prevHash: Uint8Array;
  readonly n: number;
  readonly epoch: number;
  readonly uid: Uint8Array | undefined;
  readonly from: number;
  readonly fold: FoldRow | undefined;
  readonly deltas: readonly Uint8Array[];
  readonly dedupe: Dedupe;
  readonly outbox: Outbox;
  readonly seen: Seen;
  readonly timers: Timers;
  readonly journals: Journals;
  readonly suspects: Suspects;
  readonly trail: Trail;
  readonly tailRecords: number;
  readonly tailBytes: number;
  /** Records of lost branches that were skipped. */
  readonly voids: number;
}

/**
 * A session that was never born, or whose tombstone has expired: the first record goes to an empty lane
 * (`expect` 0).
 */
export function emptyLane(): Base {
  return {
    expect: 0,
    tip: noRecord,
    prev: noRecord,
    prevHash: new Uint8Array(idBytes),
    n: 0,
    epoch: 0,
    uid: undefined,
    from: 1,
    fold: undefined,
    deltas: [],
    ...memories(),
    trail: openTrail(1, []),
    tailRecords: 0,
    tailBytes: 0,
    voids: 0,
  };
}

/**
 * `gap`: records are missing, or the reader is behind. `damaged`: a record is not the one that the next was
 * written after.
 */
export type Replayed = Base | "gap" | "damaged";

/** Needs all records from `from` on, and knows if one that the last goes on from is not there. */
export function replay(rows: readonly DecodedRecord[]): Replayed {
  const links = chain(rows);
  if (links === "damaged") return links;
  const last = rows.at(-1);
  const end = links?.at(-1);
  if (links === undefined || last === undefined || end === undefined) return "gap";
  const start = startOf(links);
  if (start === undefined) return "gap";
  // what lies before the fold's cover is history: the snapshot has it
  const tail = links.slice(start.at);
  const memory = memories();
  if (start.fold !== undefined) restore(memory, start.fold.record);
  const deltas = tail.flatMap((row) => replayRow(row, memory));
  const isGone = end.record.type === "gone";
  return {
    expect: last.seq,
    tip: last.record.rid,
    prev: end.record.rid,
    prevHash: end.hash,
    n: end.record.n,
    // over all rows, void ones too: their writer may have written pages under its epoch
    epoch: rows.reduce((epoch, row) => Math.max(epoch, row.record.epoch), 0),
    uid: isGone ? undefined : end.record.uid,
    from: isGone ? end.seq : end.record.from,
    fold: start.fold,
    deltas,
    ...memory,
    trail: trailOf(tail, rows),
    tailRecords: tail.length,
    tailBytes: tail.reduce((sum, row) => sum + row.bytes, 0),
    voids: rows.length - links.length,
  };
}

/** Void records too: whoever reads them one by one must see what a range would show. */
function trailOf([first]: readonly DecodedRecord[], rows: readonly DecodedRecord[]): Trail {
  if (first === undefined) return openTrail(1, []);
  return openTrail(
    first.record.n,
    rows.filter(({ seq }) => seq >= first.seq),
  );
}

/**
 * The same of what is left of a lane, when the loss of the rest is accepted: the longest beginning that
 * links. What lies after it stays behind: the next record takes the place after it. `isLastHidden`: a record
 * that the store cannot read is the last one; then it accepts an expectation of 0 only.
 */
export function replayKept(rows: readonly DecodedRecord[], isLastHidden: boolean): Base {
  const last = rows.at(-1);
  if (last === undefined) return emptyLane();
  const epoch = rows.reduce((highest, { record }) => Math.max(highest, record.epoch), 0);
  const end = isLastHidden
    ? { expect: 0, tip: noRecord, epoch }
    : { expect: last.seq, tip: last.record.rid, epoch };
  for (let count = rows.length; count > 0; count -= 1) {
    const base = replay(rows.slice(0, count));
    // what is left of the tail is needed no more once a fold is written, which is due at once
    if (base !== "gap" && base !== "damaged")
      return { ...base, ...end, tailRecords: Number.POSITIVE_INFINITY };
  }
  return { ...emptyLane(), ...end };
}

/**
 * Rows that link, from the first that needs nothing before it; rows of lost branches are left out.
 * `undefined`: rows are missing.
 */
function chain(rows: readonly DecodedRecord[]): DecodedRecord[] | "damaged" | undefined {
  const links: DecodedRecord[] = [];
  /**
   * Rows that come after some that are not there: nothing is missing where a later one goes on from
   * before them.
   */
  let isBroken = false;
  const covered = rows.flatMap(({ record }) => (record.type === "fold" ? [record.coversRid] : []));
  for (const row of rows) {
    const before = links.at(-1);
    if (before === undefined) {
      if (isAnchor(row.record, covered)) links.push(row);
    } else if (sameRecord(row.record.prev, before.record.rid)) {
      const { prevHash } = row.record;
      if (prevHash !== undefined && !bytesEqual(prevHash, before.hash)) return "damaged";
      links.push(row);
      isBroken = false;
    } else if (row.record.n > before.record.n + 1) {
      isBroken = true;
    }
  }
  return isBroken ? undefined : links;
}

function isAnchor(record: LaneRecord, covered: readonly RecordId[]): boolean {
  return record.born || record.type === "gone" || covered.some((rid) => sameRecord(rid, record.prev));
}

/** Where replay starts: after what the last fold covers, at a tombstone, or at a birth. */
function startOf(links: readonly DecodedRecord[]): { at: number; fold: Base["fold"] } | undefined {
  for (let at = links.length - 1; at >= 0; at -= 1) {
    const row = links[at];
    if (row === undefined) return undefined;
    if (row.record.type === "gone" || row.record.born) return { at: bornAt(links, at), fold: undefined };
    if (row.record.type === "fold") return afterFold(links, { ...row, record: row.record });
  }
  return undefined;
}

/** A tombstone just before a birth hands its stored answers on. */
function bornAt(links: readonly DecodedRecord[], at: number): number {
  return links[at - 1]?.record.type === "gone" ? at - 1 : at;
}

function afterFold(links: readonly DecodedRecord[], fold: FoldRow): ReturnType<typeof startOf> {
  const { record } = fold;
  const at = links.findIndex((row) => row.seq > record.covers);
  const first = links[at];
  if (first === undefined || !sameRecord(first.record.prev, record.coversRid)) return undefined;
  return { at, fold };
}

/** What a session remembers beside its state. */
type Memories = Pick<Base, "dedupe" | "outbox" | "seen" | "timers" | "journals" | "suspects">;

const memories = (): Memories => ({
  dedupe: createDedupe(),
  outbox: createOutbox(),
  seen: createSeen(),
  timers: createTimers(),
  journals: createJournals(),
  suspects: createSuspects(),
});

/** Bodies of their own: the record's bytes go. */
const kept = (changes: readonly TimerChange[]): TimerChange[] =>
  changes.map((change) =>
    change.type === "gone"
      ? change
      : { type: "set", timer: { ...change.timer, body: change.timer.body.slice() } },
  );

const ownSuspects = (changes: readonly SuspectChange[] = []): SuspectChange[] =>
  changes.map((change) =>
    change.type === "ended"
      ? { ...change, source: change.source.slice() }
      : { ...change, mark: { ...change.mark, source: change.mark.source.slice() } },
  );

function replaySeen({ seen, suspects }: Memories, marks: readonly SeenMark[]): void {
  for (const mark of marks) {
    noteSeen(seen, { ...mark, source: mark.source.slice() });
    endSuspect(suspects, mark.source, mark.n);
  }
}

function restore(memory: Memories, record: FoldRecord | GoneRecord): void {
  const { dedupe, outbox, timers, journals, suspects } = memory;
  if (record.type === "fold") noteSuspects(suspects, ownSuspects(record.suspects));
  restoreAnswers(dedupe, record);
  replaySeen(memory, record.seen);
  if (record.type === "fold" && record.outbox !== undefined) replayLetters(outbox, record.outbox);
  if (record.type === "fold") applyTimers(timers, kept(record.timers));
  if (record.type === "fold" && record.journal !== undefined) replayJournal(journals, record.journal);
}

function replayRow({ record }: DecodedRecord, memory: Memories): Uint8Array[] {
  if (record.type === "gone") restore(memory, record);
  if (record.type !== "turns") return [];
  noteSuspects(memory.suspects, ownSuspects(record.suspects));
  for (const { key, answer } of record.turns)
    if (key !== undefined) storeAnswer(memory.dedupe, key, record, answer.slice());
  replaySeen(memory, record.seen);
  if (record.outbox !== undefined) replayLetters(memory.outbox, record.outbox);
  applyTimers(memory.timers, kept(record.timers));
  if (record.journal !== undefined) replayJournal(memory.journals, record.journal);
  return record.turns.map((turn) => turn.delta);
}
