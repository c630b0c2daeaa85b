// One version of a log: sealed chunks of encoded entries, then the entries of the chunk that is still open.
// Versions share what they have in common, so that a view, or an undone turn, costs no copy of the log.
import type { Json } from "@voda/proto/fields";
import { ByteReader, ByteWriter, DecodeError } from "@voda/stdx";
import { jsonBytes, readOptionalJson, writeJson } from "../json.ts";
import { cutEvenly, pieceAloneBytes, pieceBytesMax } from "../piece.ts";
import { Grown } from "./grown.ts";

/** What stands at a place; `undefined` where it was redacted. */
export type Entry = Json | undefined;

/** Places `first` to `first + count - 1` as pages have them: both numbers, then a block of the entries. */
export interface Chunk {
  readonly first: number;
  readonly count: number;
  readonly bytes: Uint8Array;
}

/** Places from `start` to `length - 1`; those before `start` are empty. */
export interface LogValue {
  readonly start: number;
  readonly length: number;
  readonly chunks: Grown<Chunk>;
  readonly chunksBytes: number;
  /** The last places. */
  readonly open: Grown<Entry>;
  /** A measure that depends on the entries alone: owners and replicas seal at the same place. */
  readonly openBytes: number;
}

/** What one transaction does to a log. */
export interface LogEdit {
  /** From here on places are kept. */
  readonly start: number;
  /** Committed places in their order, none before `start`. */
  readonly redacted: readonly number[];
  /** Entries for the places from `length` on, or from `start` if that is behind it. */
  readonly appended: readonly Entry[];
}

/** Gives the entries of a chunk. */
export type ReadChunk = (chunk: Chunk) => readonly Entry[];

/** A chunk is sealed at this measure: half a page, so that a few of the newest entries are in two at most. */
const chunkBytesMax = 32 * 1024;
/** Roughly what an entry takes besides its value; bounds the entries of a chunk too. */
const bytesPerEntry = 8;

/** A log whose places before `start` are empty, and which has no others. */
export function emptyLog(start = 0): LogValue {
  return { start, length: start, chunks: new Grown(), chunksBytes: 0, open: new Grown(), openBytes: 0 };
}

/** Roughly what it occupies; of the oldest chunk the part that is kept. */
export function logBytes({ start, chunks, chunksBytes, openBytes }: LogValue): number {
  const oldest = chunks.at(0);
  if (oldest === undefined) return openBytes;
  const dropped = (oldest.bytes.length * (start - oldest.first)) / oldest.count;
  return chunksBytes - Math.floor(dropped) + openBytes;
}

/** The entry at a place. */
export function entryAt(log: LogValue, place: number, read: ReadChunk): Entry {
  if (place < log.start || place >= log.length) return undefined;
  const first = openFirst(log);
  if (place >= first) return log.open.at(place - first);
  const chunk = log.chunks.at(chunkOf(log, place));
  return chunk === undefined ? undefined : read(chunk)[place - chunk.first];
}

/** The log after the edit; the one before it stays as it is. */
export function edited(log: LogValue, { start, redacted, appended }: LogEdit, read: ReadChunk): LogValue {
  let next = start > log.length ? emptyLog(start) : dropBefore(redact(log, redacted, read), start);
  for (const entry of appended) next = append(next, entry);
  return next;
}

/** By the measure of the entries, not of bytes: those of the open chunk are not encoded yet. */
function append(log: LogValue, entry: Entry): LogValue {
  const next = {
    ...log,
    length: log.length + 1,
    open: log.open.push(entry),
    openBytes: log.openBytes + entryBytes(entry),
  };
  return next.openBytes < chunkBytesMax ? next : sealed(next);
}

/** From here on its bytes are what is stored, and only a redaction writes them anew. */
function sealed(log: LogValue): LogValue {
  const chunk = encodeChunk(openFirst(log), log.open.toArray());
  return {
    ...log,
    chunks: log.chunks.push(chunk),
    chunksBytes: log.chunksBytes + chunk.bytes.length,
    open: new Grown(),
    openBytes: 0,
  };
}

/** Writes the chunks of these places anew: their bytes go, not only the way to them. */
function redact(log: LogValue, places: readonly number[], read: ReadChunk): LogValue {
  if (places.length === 0) return log;
  const gone = new Set(places);
  const without = (first: number, entries: readonly Entry[]): Entry[] =>
    entries.map((entry, i) => (gone.has(first + i) ? undefined : entry));
  const touched = new Set(places.map((place) => chunkOf(log, place)));
  const chunks = log.chunks
    .toArray()
    .map((chunk, i) =>
      touched.has(i) ? encodeChunk(chunk.first, without(chunk.first, read(chunk))) : chunk,
    );
  return { ...log, ...withChunks(chunks), ...withOpen(without(openFirst(log), log.open.toArray())) };
}

/** Chunks go as a whole; of the first one that stays, what is too old goes when it is saved. */
function dropBefore(log: LogValue, start: number): LogValue {
  if (start === log.start) return log;
  const first = openFirst(log);
  const isFull = (chunk: Chunk | undefined): boolean =>
    chunk !== undefined && chunk.first + chunk.count <= start;
  const chunks = isFull(log.chunks.at(0)) ? withChunks(log.chunks.toArray(chunkOf(log, start))) : {};
  const open = start > first ? withOpen(log.open.toArray(start - first)) : {};
  return { ...log, start, ...chunks, ...open };
}

const withChunks = (chunks: Chunk[]): Pick<LogValue, "chunks" | "chunksBytes"> => ({
  chunks: new Grown(chunks),
  chunksBytes: chunks.reduce((sum, { bytes }) => sum + bytes.length, 0),
});

const withOpen = (open: Entry[]): Pick<LogValue, "open" | "openBytes"> => ({
  open: new Grown(open),
  openBytes: open.reduce((sum: number, entry) => sum + entryBytes(entry), 0),
});

/** The place after the sealed chunks. */
function openFirst({ length, open }: LogValue): number {
  return length - open.length;
}

/** The index of the chunk with the place; how many there are when it is behind all of them. */
function chunkOf({ chunks }: LogValue, place: number): number {
  let [low, high] = [0, chunks.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const chunk = chunks.at(middle);
    if (chunk !== undefined && chunk.first + chunk.count <= place) low = middle + 1;
    else high = middle;
  }
  return low;
}

function entryBytes(entry: Entry): number {
  return bytesPerEntry + (entry === undefined ? 0 : jsonBytes(entry));
}

function encodeChunk(first: number, entries: readonly Entry[]): Chunk {
  const block = new ByteWriter();
  for (const entry of entries) writeJson(block, entry);
  const writer = new ByteWriter(block.length + 24);
  writer.varint(first);
  writer.varint(entries.length);
  writer.block(block.peek());
  return { first, count: entries.length, bytes: writer.finish() };
}

/** @throws DecodeError */
export function decodeChunk(chunk: Chunk): Entry[] {
  const reader = new ByteReader(chunk.bytes);
  reader.varint();
  reader.varint();
  const block = new ByteReader(reader.block());
  const entries = Array.from({ length: chunk.count }, () => readOptionalJson(block));
  block.end();
  return entries;
}

/**
 * In pieces for pages: a chunk is a piece, if it is not small, so that what was sealed gives the same page
 * again. The open chunk is always there, and is the last.
 */
export function saveLog(log: LogValue, read: ReadChunk): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  const writer = new ByteWriter();
  for (const chunk of log.chunks.toArray()) {
    const { bytes } = chunk.first < log.start ? kept(chunk, log.start, read) : chunk;
    const isPiece = writer.length === 0 && bytes.length >= pieceAloneBytes && bytes.length <= pieceBytesMax;
    if (isPiece) pieces.push(bytes);
    else writer.raw(bytes);
    if (writer.length >= pieceAloneBytes) pieces.push(...cutEvenly(writer.finish()));
  }
  writer.raw(encodeChunk(openFirst(log), log.open.toArray()).bytes);
  pieces.push(...cutEvenly(writer.finish()));
  return pieces;
}

/** Without what is older than the log keeps: a snapshot does not have it. */
function kept(chunk: Chunk, start: number, read: ReadChunk): Chunk {
  return encodeChunk(start, read(chunk).slice(start - chunk.first));
}

/** Entries of sealed chunks stay encoded until somebody reads them. @throws DecodeError */
export function loadLog(bytes: Uint8Array): LogValue {
  const chunks: Chunk[] = [];
  const reader = new ByteReader(bytes);
  while (reader.left > 0) chunks.push(readChunk(reader, bytes, chunks.at(-1)));
  const open = chunks.pop();
  if (open === undefined) throw new DecodeError("a log without chunks");
  const start = chunks[0]?.first ?? open.first;
  return { start, length: open.first + open.count, ...withChunks(chunks), ...withOpen(decodeChunk(open)) };
}

/** Chunks follow each other without a gap, and none but the open one is empty. */
function readChunk(reader: ByteReader, bytes: Uint8Array, before: Chunk | undefined): Chunk {
  const from = bytes.length - reader.left;
  const first = reader.varint();
  const count = reader.varint();
  const block = reader.block();
  if (before !== undefined && (before.count === 0 || first !== before.first + before.count))
    throw new DecodeError(`place ${first} follows on ${before.count} places from ${before.first} on`);
  if (count > block.length || !Number.isSafeInteger(first + count))
    throw new DecodeError(`${count} places from ${first} on in ${block.length} bytes`);
  return { first, count, bytes: bytes.subarray(from, bytes.length - reader.left) };
}
