// Records of a lane, and their bytes (PROTOCOL.md 3). A record that does not decode is refused, never
// skipped. Format 2: a head, and beside it the parts of the slices, as extensions of the envelope. Format 1
// is read.
import {
  beginEnvelope,
  CorruptError,
  type Crc32,
  type Envelope,
  type Extension,
  endEnvelope,
  openEnvelope,
} from "@voda/state";
import { ByteReader, ByteWriter, DecodeError } from "@voda/stdx";
import {
  answersPart,
  type ClientAnswers,
  clientsPart,
  type Remembered,
  type StoredAnswer,
} from "./record-answers.ts";
import { type FoldSnapshot, noTrims, snapshotPart, type Trims, trimsPart } from "./record-fold.ts";
import { readFormat1 } from "./record-format-1.ts";
import { type RecordHead, readHead, writeHead } from "./record-head.ts";
import { type JournalPart, journalPart } from "./record-journal.ts";
import { buriedPart, type OutboxPart, outboxPart, type SeenMark, seenPart } from "./record-outbox.ts";
import { type SuspectChange, suspectsPart } from "./record-suspects.ts";
import { timersPart } from "./record-timers.ts";
import { type TrailPart, trailPart } from "./record-trail.ts";
import { type TurnEntry, turnsPart } from "./record-turns.ts";
import type { TimerChange } from "./timers.ts";

/** Zero to `recordTurnsMax` turns; with none it is a bare claim. */
export type TurnsRecord = RecordHead & {
  readonly type: "turns";
  readonly turns: readonly TurnEntry[];
  /** Absent: nothing lies before it that replay needs, or its writer did not know of trails. */
  readonly trail?: TrailPart;
} & Messages;
/** A snapshot of all before it, what is remembered of calls, and what cleaning is left. */
export type FoldRecord = RecordHead & { readonly type: "fold" } & FoldSnapshot &
  Trims &
  Remembered &
  Messages;
/**
 * A tombstone: the session is deleted; what it remembers of calls and messages goes on, so that none of them
 * that comes again brings it to life.
 */
export type GoneRecord = RecordHead & { readonly type: "gone" } & Remembered & Pick<Messages, "seen">;

/** What the session sends, what it has had from others, what it is to do later and what it does outside. */
interface Messages {
  readonly outbox: OutboxPart | undefined;
  readonly seen: readonly SeenMark[];
  readonly timers: readonly TimerChange[];
  readonly journal: JournalPart | undefined;
  /** Letters of others that may end nodes; absent: none. */
  readonly suspects?: readonly SuspectChange[];
}
/** `type` tells them apart; on the wire the envelope's kind does. */
export type LaneRecord = TurnsRecord | FoldRecord | GoneRecord;

/** What the parts of a record say; what none says is empty. */
interface Fields {
  turns: readonly TurnEntry[];
  snapshot: FoldSnapshot | undefined;
  trims: Trims;
  answers: readonly StoredAnswer[];
  clients: readonly ClientAnswers[];
  outbox: OutboxPart | undefined;
  seen: readonly SeenMark[];
  timers: readonly TimerChange[];
  journal: JournalPart | undefined;
  suspects: readonly SuspectChange[];
  trail: TrailPart | undefined;
}

const noFields: Fields = {
  turns: [],
  snapshot: undefined,
  trims: noTrims,
  answers: [],
  clients: [],
  outbox: undefined,
  seen: [],
  timers: [],
  journal: undefined,
  suspects: [],
  trail: undefined,
};

/** What a slice has in records. */
interface Part {
  readonly tag: number;
  /** Who does not know it must not read the record without it: the state would be another one. */
  readonly critical: boolean;
  /** Writes what the record has of it, if it has something. */
  write(writer: ByteWriter, record: LaneRecord): void;
  read(reader: ByteReader, into: Fields): void;
}

/** One line for each slice that has something in records. A tag is never used again for something else. */
const parts: readonly Part[] = [
  part(1, "turns", turnsPart, (record) => (record.type === "turns" ? record.turns : undefined)),
  part(2, "snapshot", snapshotPart, (record) => (record.type === "fold" ? record : undefined)),
  part(3, "trims", trimsPart, (record) => (record.type === "fold" ? record : undefined)),
  part(4, "answers", answersPart, (record) => (record.type === "turns" ? undefined : record.answers)),
  part(5, "clients", clientsPart, (record) => (record.type === "turns" ? undefined : record.clients)),
  part(6, "outbox", outboxPart, (record) => (record.type === "gone" ? undefined : record.outbox)),
  part(7, "seen", seenPart(false), (record) => record.seen),
  part(
    8,
    "seen",
    seenPart(true),
    (record) => record.seen,
    (givenUp, seen) => [...seen, ...givenUp],
  ),
  part(9, "timers", timersPart, (record) => (record.type === "turns" ? record.timers : undefined)),
  part(10, "timers", timersPart, (record) => (record.type === "fold" ? record.timers : undefined)),
  part(11, "journal", journalPart, (record) => (record.type === "turns" ? record.journal : undefined)),
  part(12, "journal", journalPart, (record) => (record.type === "fold" ? record.journal : undefined)),
  part(
    13,
    "outbox",
    buriedPart,
    (record) => (record.type === "turns" ? record.outbox : undefined),
    ({ buried = [] }, before) => before && { ...before, buried },
  ),
  part(14, "suspects", suspectsPart, (record) => (record.type === "gone" ? undefined : record.suspects)),
  // from here on: who does not know them is only slower
  {
    ...part(16, "trail", trailPart, (record) => (record.type === "turns" ? record.trail : undefined)),
    critical: false,
  },
];
const knownTags = parts.map(({ tag }) => tag);

interface Codec<T> {
  isEmpty(value: T): boolean;
  write(writer: ByteWriter, value: T): void;
  read(reader: ByteReader): T;
}

function part<K extends keyof Fields>(
  tag: number,
  field: K,
  codec: Codec<NonNullable<Fields[K]>>,
  of: (record: LaneRecord) => NonNullable<Fields[K]> | undefined,
  /** Of what another part has of the same field. */
  join: (value: NonNullable<Fields[K]>, before: Fields[K]) => Fields[K] = (value) => value,
): Part {
  return {
    tag,
    critical: true,
    write(writer, record) {
      const value = of(record);
      if (value !== undefined && !codec.isEmpty(value)) codec.write(writer, value);
    },
    read(reader, into) {
      into[field] = join(codec.read(reader), into[field]);
    },
  };
}

/** Kinds of envelopes. Those below 16 belong to `state`; 17 is not used. */
const kinds = { turns: 16, fold: 18, gone: 19 } as const;
type Kind = keyof typeof kinds;
/** Where the envelope says the kind. */
const kindAt = 5;

/** Used again for every record: their buffers have grown to what records need. */
const recordWriter = new ByteWriter(4096);
const partWriter = new ByteWriter(4096);

/** Bytes of their own, however often it is called; equal records give equal bytes (golden files hold it). */
export function encodeRecord(record: LaneRecord, crc32: Crc32): Uint8Array<ArrayBuffer> {
  recordWriter.clear();
  const at = beginEnvelope(recordWriter, kinds[record.type]);
  writeHead(recordWriter, record);
  const extensions: Extension[] = [];
  for (const one of parts) {
    one.write(partWriter, record);
    const { tag, critical } = one;
    if (partWriter.length > 0) extensions.push({ tag, critical, bytes: partWriter.finish() });
  }
  endEnvelope(recordWriter, at, crc32, extensions);
  return recordWriter.finish();
}

/** Byte fields are views on `bytes`. @throws DecodeError, UnsupportedFormatError */
export function decodeRecord(bytes: Uint8Array, crc32: Crc32): LaneRecord {
  const { version, body, extensions } = open(bytes, crc32);
  const kind = kindOf(bytes);
  if (version === 1) {
    const { head, ...fields } = readFormat1(kind, body);
    return assemble(kind, head, { ...noFields, ...fields });
  }
  const head = readHead(body);
  body.end();
  // unknown tags were refused by openEnvelope, which knows `knownTags`
  const fields = { ...noFields };
  for (const extension of extensions) {
    const reader = new ByteReader(extension.bytes);
    parts.find(({ tag }) => tag === extension.tag)?.read(reader, fields);
    reader.end();
  }
  return assemble(kind, head, fields);
}

function open(bytes: Uint8Array, crc32: Crc32): Envelope {
  try {
    return openEnvelope(bytes, bytes[kindAt] ?? 0, crc32, knownTags);
  } catch (cause) {
    if (cause instanceof CorruptError) throw new DecodeError(cause.message, { cause });
    throw cause;
  }
}

function kindOf(bytes: Uint8Array): Kind {
  const number = bytes[kindAt];
  for (const kind of ["turns", "fold", "gone"] as const) if (kinds[kind] === number) return kind;
  throw new DecodeError(`record of unknown kind ${number}`);
}

function assemble(kind: Kind, head: RecordHead, fields: Fields): LaneRecord {
  const { turns, snapshot, trims, answers, clients, outbox, seen, timers, journal } = fields;
  const suspects = fields.suspects.length > 0 && { suspects: fields.suspects };
  const trail = fields.trail !== undefined && { trail: fields.trail };
  if (kind === "turns")
    return { ...head, type: kind, turns, outbox, seen, timers, journal, ...suspects, ...trail };
  if (kind === "gone") return { ...head, type: kind, answers, clients, seen };
  // no writer leaves it out: the bytes were changed, and their CRC with them
  if (snapshot === undefined) throw new DecodeError("fold without a snapshot");
  const messages = { outbox, seen, timers, journal, ...suspects };
  return { ...head, type: kind, ...snapshot, ...trims, answers, clients, ...messages };
}
