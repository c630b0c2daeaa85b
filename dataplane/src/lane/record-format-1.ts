// Records as they were written until 2026-11: one body, no parts, no hashes of predecessors. They are read;
// the next fold replaces them.
import { type ByteReader, DecodeError } from "@voda/stdx";
import type { StoredAnswer } from "./record-answers.ts";
import { type FoldSnapshot, readPageEntry, readRetired, type Trims } from "./record-fold.ts";
import { type RecordHead, readName, readPlace } from "./record-head.ts";
import type { TurnEntry } from "./record-turns.ts";
import { idBytes, noBytes, readFlags, readList, readRid } from "./words.ts";

/**
 * What a record of format 1 has; parts that it has not are empty. It knows no clients with numbered calls.
 */
export interface Format1 {
  readonly head: RecordHead;
  readonly turns: readonly TurnEntry[];
  readonly snapshot: FoldSnapshot | undefined;
  readonly trims: Trims;
  readonly answers: readonly StoredAnswer[];
}

const flag = { born: 1, named: 2, whole: 4, released: 8, inline: 16, trim: 32 } as const;
const knownFlags = 63;
const nothing = { turns: [], snapshot: undefined, trims: { trim: undefined, retired: [] }, answers: [] };

/** @throws DecodeError */
export function readFormat1(type: "turns" | "fold" | "gone", body: ByteReader): Format1 {
  const flags = readFlags(body, knownFlags, "record");
  const head = {
    rid: readRid(body),
    prev: readRid(body),
    prevHash: undefined,
    ...readPlace(body),
    born: (flags & flag.born) !== 0,
    name: (flags & flag.named) === 0 ? undefined : readName(body),
  };
  const record = readBody(type, flags, body);
  body.end();
  return { ...nothing, head, ...record };
}

/** `seen` and timers had room in format 1 and no writer: a count other than 0 is damage. */
function readBody(type: "turns" | "fold" | "gone", flags: number, body: ByteReader): Partial<Format1> {
  if (type === "turns") return { turns: readList(body, 3, readTurn) };
  if (type === "fold") return readFold(flags, body);
  const answers = readList(body, 2 * idBytes, readAnswer);
  none(body, "entries of `seen`");
  return { answers };
}

function readTurn(body: ByteReader): TurnEntry {
  const keyed = readFlags(body, 1, "turn");
  const key = keyed === 0 ? undefined : readKey(body);
  const answer = keyed === 0 ? noBytes : body.block();
  const delta = body.block();
  none(body, "outbox entries");
  return { key, delta, answer };
}

function readKey(body: ByteReader): TurnEntry["key"] {
  const [id, rawHash] = [body.raw(idBytes), body.raw(idBytes)];
  return { type: "key", id, rawHash, canonicalHash: undefined, keepMs: body.varint() };
}

function readFold(flags: number, body: ByteReader): Partial<Format1> {
  const covers = body.varint();
  const coversRid = readRid(body);
  const inline = (flags & flag.inline) === 0 ? undefined : readList(body, 1, (reader) => reader.block());
  const table = inline === undefined ? readList(body, 2 + idBytes, readPageEntry) : [];
  const answers = readList(body, 2 * idBytes, readAnswer);
  const trim = (flags & flag.trim) === 0 ? undefined : { covers: body.varint(), storeMs: body.varint() };
  const retired = readRetired(body);
  none(body, "entries of `seen`");
  none(body, "timers");
  const whole = (flags & flag.whole) !== 0;
  const released = (flags & flag.released) !== 0;
  return {
    snapshot: { covers, coversRid, whole, released, inline, table },
    answers,
    trims: { trim, retired },
  };
}

function readAnswer(body: ByteReader): StoredAnswer {
  const [id, rawHash] = [body.raw(idBytes), body.raw(idBytes)];
  const [n, expiresAtMs] = [body.varint(), body.varint()];
  const flags = body.u8();
  const answer = (flags & 2) === 0 ? undefined : body.block();
  return { id, rawHash, canonicalHash: undefined, n, expiresAtMs, brief: (flags & 1) !== 0, answer };
}

/** Room that was left for later, and never used. */
function none(body: ByteReader, what: string): void {
  const count = body.varint();
  if (count !== 0) throw new DecodeError(`record of format 1 with ${count} ${what}`);
}
