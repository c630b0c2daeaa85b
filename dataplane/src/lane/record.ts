// Records of a lane, and their bytes (PROTOCOL.md 3). A record that does not decode is refused, never skipped.

import type { SessionName } from "@voda/proto/session";
import { beginEnvelope, CorruptError, type Crc32, endEnvelope, openEnvelope } from "@voda/state";
import { ByteReader, ByteWriter, DecodeError } from "@voda/stdx";
import type { Incarnation, PageName } from "./types.ts";

/** Unique for ever: the writer's incarnation and a number that it gives out once. */
export interface RecordId {
  readonly incarnation: Incarnation;
  readonly counter: number;
}

interface Head {
  readonly rid: RecordId;
  /** The record before it in the lane; `noRecord` before the first. */
  readonly prev: RecordId;
  /** Dense position in the lane, from 1. */
  readonly n: number;
  readonly epoch: number;
  /** The session's birth id, 16 bytes. */
  readonly uid: Uint8Array;
  /** Sequence of the first record that replay needs. */
  readonly from: number;
  /** Wall clock of the writer, milliseconds since 1970. */
  readonly wallMs: number;
  /** The state before this record is empty, whatever lies before it in the lane. */
  readonly born: boolean;
  /** In the first record of a life and in every fold, so that two names with one token show. */
  readonly name: SessionName | undefined;
}

/** A turn in a record. Answers are kept only under an id. */
export interface TurnEntry {
  readonly key: TurnKey | undefined;
  readonly delta: Uint8Array;
  readonly answer: Uint8Array;
}

export interface TurnKey {
  /** 16 bytes. */
  readonly id: Uint8Array;
  /** 16 bytes. */
  readonly bodyHash: Uint8Array;
  readonly keepMs: number;
}

/** An answer that a fold or a tombstone carries on. */
export interface StoredAnswer {
  readonly id: Uint8Array;
  readonly bodyHash: Uint8Array;
  readonly n: number;
  /** Milliseconds since 1970. */
  readonly expiresAtMs: number;
  readonly brief: boolean;
  /** `undefined`: done, answer not kept. */
  readonly answer: Uint8Array | undefined;
}

export interface PageEntry {
  readonly name: PageName;
  readonly hash: Uint8Array;
}

/** A fold that waits until the store cannot lose it; then everything that it covers may go. */
export interface TrimMark {
  readonly covers: number;
  readonly wallMs: number;
}

/** Pages that no fold after the one at `seq` names. */
export interface RetiredPages {
  readonly seq: number;
  readonly names: readonly PageName[];
}

export type TurnsRecord = Head & { readonly kind: "turns"; readonly turns: readonly TurnEntry[] };
export type FoldRecord = Head & {
  readonly kind: "fold";
  /** Last sequence inside the snapshot, and what lies there. */
  readonly covers: number;
  readonly coversRid: RecordId;
  /** Nothing lies between `covers` and this record: the last record alone is enough to wake. */
  readonly whole: boolean;
  readonly released: boolean;
  /** Pages in order: their bytes when the snapshot is small, else their names. */
  readonly inline: readonly Uint8Array[] | undefined;
  readonly table: readonly PageEntry[];
  readonly answers: readonly StoredAnswer[];
  readonly trim: TrimMark | undefined;
  readonly retired: readonly RetiredPages[];
};
export type GoneRecord = Head & { readonly kind: "gone"; readonly answers: readonly StoredAnswer[] };
export type LaneRecord = TurnsRecord | FoldRecord | GoneRecord;

const ID_BYTES = 16;
/** Where the envelope says the kind. */
const KIND_AT = 5;
/** `journal` is reserved for results of steps inside a turn. Kinds below 16 belong to `state`. */
const kinds = { turns: 16, journal: 17, fold: 18, gone: 19 } as const;
const flag = { born: 1, named: 2, whole: 4, released: 8, inline: 16, trim: 32 } as const;
const FLAGS_KNOWN = 63;

export const noRecord: RecordId = { incarnation: "0".repeat(2 * ID_BYTES), counter: 0 };

export function sameRecord(a: RecordId, b: RecordId): boolean {
  return a.counter === b.counter && a.incarnation === b.incarnation;
}

/** Used again for every record: its buffer has grown to what records need. */
const writer = new ByteWriter(4096);

export function encodeRecord(record: LaneRecord, crc32: Crc32): Uint8Array<ArrayBuffer> {
  writer.clear();
  const at = beginEnvelope(writer, kinds[record.kind]);
  writeHead(writer, record);
  switch (record.kind) {
    case "turns":
      writer.varint(record.turns.length);
      for (const turn of record.turns) writeTurn(writer, turn);
      break;
    case "fold":
      writeFold(writer, record);
      break;
    case "gone":
      writeAnswers(writer, record.answers);
      writer.varint(0);
      break;
  }
  endEnvelope(writer, at, crc32);
  return writer.finish();
}

/** Byte fields are views on `bytes`. @throws DecodeError */
export function decodeRecord(bytes: Uint8Array, crc32: Crc32): LaneRecord {
  const kind = bytes[KIND_AT] ?? 0;
  const body = open(bytes, kind, crc32);
  const { flags, head } = readHead(body);
  const record = readBody(kind, flags, head, body);
  body.end();
  return record;
}

function open(bytes: Uint8Array, kind: number, crc32: Crc32): ByteReader {
  try {
    return openEnvelope(bytes, kind, crc32);
  } catch (cause) {
    if (cause instanceof CorruptError) throw new DecodeError(cause.message, { cause });
    throw cause;
  }
}

function readBody(kind: number, flags: number, head: Head, body: ByteReader): LaneRecord {
  if (kind === kinds.turns) return { ...head, kind: "turns", turns: readList(body, 3, readTurn) };
  if (kind === kinds.fold) return readFold(flags, head, body);
  if (kind === kinds.gone) {
    const answers = readList(body, 2 * ID_BYTES, readAnswer);
    none(body, "entries of `seen`");
    return { ...head, kind: "gone", answers };
  }
  throw new DecodeError(`record of unknown kind ${kind}`);
}

function writeHead(writer: ByteWriter, record: LaneRecord): void {
  writer.u8(flagsOf(record));
  writeRid(writer, record.rid);
  writeRid(writer, record.prev);
  writer.varint(record.n);
  writer.varint(record.epoch);
  writer.raw(sized(record.uid));
  writer.varint(record.from);
  writer.varint(record.wallMs);
  if (record.name === undefined) return;
  writer.text(record.name.namespace);
  writer.text(record.name.agent);
  writer.text(record.name.key);
}

function flagsOf(record: LaneRecord): number {
  let flags = (record.born ? flag.born : 0) | (record.name === undefined ? 0 : flag.named);
  if (record.kind !== "fold") return flags;
  if (record.whole) flags |= flag.whole;
  if (record.released) flags |= flag.released;
  if (record.inline !== undefined) flags |= flag.inline;
  if (record.trim !== undefined) flags |= flag.trim;
  return flags;
}

function readHead(body: ByteReader): { flags: number; head: Head } {
  const flags = body.u8();
  if (flags > FLAGS_KNOWN) throw new DecodeError(`record with unknown flags 0x${flags.toString(16)}`);
  const head = {
    rid: readRid(body),
    prev: readRid(body),
    n: body.varint(),
    epoch: body.varint(),
    uid: body.raw(ID_BYTES),
    from: body.varint(),
    wallMs: body.varint(),
    born: (flags & flag.born) !== 0,
    name:
      (flags & flag.named) === 0
        ? undefined
        : { namespace: body.text(), agent: body.text(), key: body.text() },
  };
  return { flags, head };
}

function writeTurn(writer: ByteWriter, turn: TurnEntry): void {
  writer.u8(turn.key === undefined ? 0 : 1);
  if (turn.key !== undefined) {
    writer.raw(sized(turn.key.id));
    writer.raw(sized(turn.key.bodyHash));
    writer.varint(turn.key.keepMs);
    writer.block(turn.answer);
  }
  writer.block(turn.delta);
  writer.varint(0);
}

function readTurn(body: ByteReader): TurnEntry {
  const keyed = body.u8();
  if (keyed > 1) throw new DecodeError(`turn with unknown flags ${keyed}`);
  const key =
    keyed === 0 ? undefined : { id: body.raw(ID_BYTES), bodyHash: body.raw(ID_BYTES), keepMs: body.varint() };
  const answer = keyed === 0 ? empty : body.block();
  const delta = body.block();
  none(body, "outbox entries");
  return { key, delta, answer };
}

function writeFold(writer: ByteWriter, fold: FoldRecord): void {
  writer.varint(fold.covers);
  writeRid(writer, fold.coversRid);
  if (fold.inline !== undefined) {
    writer.varint(fold.inline.length);
    for (const page of fold.inline) writer.block(page);
  } else {
    writer.varint(fold.table.length);
    for (const entry of fold.table) {
      writePageName(writer, entry.name);
      writer.raw(sized(entry.hash));
    }
  }
  writeAnswers(writer, fold.answers);
  if (fold.trim !== undefined) {
    writer.varint(fold.trim.covers);
    writer.varint(fold.trim.wallMs);
  }
  writer.varint(fold.retired.length);
  for (const { seq, names } of fold.retired) {
    writer.varint(seq);
    writer.varint(names.length);
    for (const name of names) writePageName(writer, name);
  }
  writer.varint(0);
  writer.varint(0);
}

function readFold(flags: number, head: Head, body: ByteReader): FoldRecord {
  const covers = body.varint();
  const coversRid = readRid(body);
  const inline = (flags & flag.inline) === 0 ? undefined : readList(body, 1, (reader) => reader.block());
  const table = inline === undefined ? readList(body, 2 + ID_BYTES, readPageEntry) : [];
  const answers = readList(body, 2 * ID_BYTES, readAnswer);
  const trim = (flags & flag.trim) === 0 ? undefined : { covers: body.varint(), wallMs: body.varint() };
  const retired = readList(body, 2, (reader) => ({
    seq: reader.varint(),
    names: readList(reader, 2, readPageName),
  }));
  none(body, "entries of `seen`");
  none(body, "timers");
  const whole = (flags & flag.whole) !== 0;
  const released = (flags & flag.released) !== 0;
  return { ...head, kind: "fold", covers, coversRid, whole, released, inline, table, answers, trim, retired };
}

function writeAnswers(writer: ByteWriter, answers: readonly StoredAnswer[]): void {
  writer.varint(answers.length);
  for (const entry of answers) {
    writer.raw(sized(entry.id));
    writer.raw(sized(entry.bodyHash));
    writer.varint(entry.n);
    writer.varint(entry.expiresAtMs);
    writer.u8((entry.brief ? 1 : 0) | (entry.answer === undefined ? 0 : 2));
    if (entry.answer !== undefined) writer.block(entry.answer);
  }
}

function readAnswer(body: ByteReader): StoredAnswer {
  const id = body.raw(ID_BYTES);
  const bodyHash = body.raw(ID_BYTES);
  const n = body.varint();
  const expiresAtMs = body.varint();
  const flags = body.u8();
  return {
    id,
    bodyHash,
    n,
    expiresAtMs,
    brief: (flags & 1) !== 0,
    answer: (flags & 2) === 0 ? undefined : body.block(),
  };
}

function readPageEntry(body: ByteReader): PageEntry {
  return { name: readPageName(body), hash: body.raw(ID_BYTES) };
}

function writePageName(writer: ByteWriter, name: PageName): void {
  writer.varint(name.epoch);
  writer.varint(name.index);
}

function readPageName(body: ByteReader): PageName {
  return { epoch: body.varint(), index: body.varint() };
}

function readList<T>(body: ByteReader, bytesEach: number, read: (body: ByteReader) => T): T[] {
  const list = new Array<T>(body.count(bytesEach));
  for (let i = 0; i < list.length; i += 1) list[i] = read(body);
  return list;
}

/** Room that later kinds of entries will take: this version knows none. */
function none(body: ByteReader, what: string): void {
  const count = body.varint();
  if (count !== 0) throw new DecodeError(`record with ${count} ${what}; this version knows none`);
}

function writeRid(writer: ByteWriter, rid: RecordId): void {
  if (written.incarnation !== rid.incarnation)
    written = { incarnation: rid.incarnation, bytes: bytesOf(rid.incarnation) };
  writer.raw(written.bytes);
  writer.varint(rid.counter);
}

function bytesOf(incarnation: string): Uint8Array {
  const bytes = new Uint8Array(ID_BYTES);
  for (let i = 0; i < ID_BYTES; i += 1) bytes[i] = Number.parseInt(incarnation.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

function readRid(body: ByteReader): RecordId {
  let incarnation = "";
  for (const byte of body.raw(ID_BYTES)) incarnation += byte.toString(16).padStart(2, "0");
  return { incarnation, counter: body.varint() };
}

function sized(bytes: Uint8Array): Uint8Array {
  if (bytes.length !== ID_BYTES) throw new RangeError(`${bytes.length} bytes where ${ID_BYTES} belong`);
  return bytes;
}

/** A node writes its own incarnation again and again. */
let written: { readonly incarnation: string; readonly bytes: Uint8Array } = {
  incarnation: "",
  bytes: new Uint8Array(0),
};

const empty = new Uint8Array(0);
