// A snapshot is pages: a head {seq, checksums of the others}, then pages of pieces {name, kind, form, bytes}.
// A page does not name its place, so what did not change gives the same page again.
import { pageBytesMax } from "@voda/proto/wire";
import { ByteReader, ByteWriter, DecodeError } from "@voda/stdx";
import {
  beginEnvelope,
  type Crc32,
  endEnvelope,
  envelopeBytes,
  envelopeCrc,
  envelopeKinds,
  openEnvelope,
} from "./envelope.ts";
import { CorruptError, TooLargeError } from "./errors.ts";
import { cutEvenly, pieceAloneBytes } from "./piece.ts";

/** The head has room for these. */
export const pagesMax = 16_000;

/** What a snapshot holds of one field. */
export interface StoredField {
  readonly name: string;
  readonly kind: number;
  /** The value, in pieces that belong together in this order. */
  readonly value: readonly Uint8Array[];
  /** Blocks of operations after the value, of a field that the writer did not know. */
  readonly operations: readonly Uint8Array[];
}

/** What pages hold: the fields, and after which transaction. */
export interface Snapshot {
  readonly seq: number;
  readonly fields: readonly StoredField[];
}

/** What the bytes of a piece are. */
const forms = { value: 0, operations: 1 } as const;

/** Bytes of one field that fit into one page. */
interface Piece {
  readonly name: string;
  readonly kind: number;
  readonly form: number;
  readonly bytes: Uint8Array;
}

/**
 * Large pieces first, each on a page of its own: only the last piece of a field is small, so its order holds.
 */
export function encodePages({ seq, fields }: Snapshot, crc32: Crc32): Uint8Array[] {
  const pieces = fields.flatMap(piecesOf);
  const large = pieces.filter((piece) => piece.bytes.length >= pieceAloneBytes);
  const small = pieces.filter((piece) => piece.bytes.length < pieceAloneBytes);
  const pages = large.map((piece) => sealPage((writer) => writePiece(writer, piece), crc32));
  pages.push(...sharedPages(small, crc32));
  if (pages.length > pagesMax)
    throw new TooLargeError(`snapshot of ${pages.length} pages exceeds pagesMax ${pagesMax}`);
  return [sealPage((writer) => writeHead(writer, seq, pages), crc32), ...pages];
}

/** The value as its field cut it, then the operations, cut evenly. */
function piecesOf({ name, kind, value, operations }: StoredField): Piece[] {
  const pieces = value.map((bytes) => ({ name, kind, form: forms.value, bytes }));
  if (operations.length === 0) return pieces;
  const writer = new ByteWriter();
  for (const block of operations) writer.block(block);
  return [
    ...pieces,
    ...cutEvenly(writer.finish()).map((bytes) => ({ name, kind, form: forms.operations, bytes })),
  ];
}

/** As many pieces to a page as fit. A piece is written apart first, for its header has no fixed length. */
function sharedPages(pieces: readonly Piece[], crc32: Crc32): Uint8Array[] {
  const pages: Uint8Array[] = [];
  const page = new ByteWriter();
  const next = new ByteWriter();
  // The body is kept until no further piece fits; then it becomes a page.
  const flush = (): void => {
    const body = page.finish();
    pages.push(sealPage((writer) => writer.raw(body), crc32));
  };
  for (const piece of pieces) {
    writePiece(next, piece);
    const bytes = next.finish();
    if (envelopeBytes + page.length + bytes.length > pageBytesMax) flush();
    page.raw(bytes);
  }
  if (page.length > 0) flush();
  return pages;
}

/**
 * Bytes of the header: the name, and at most 8 for kind, form and length; `pieceBytesMax` leaves room for it.
 */
function writePiece(writer: ByteWriter, piece: Piece): void {
  writer.text(piece.name);
  writer.u8(piece.kind);
  writer.u8(piece.form);
  writer.block(piece.bytes);
}

/**
 * The head names the pages by their checksums: pages of another snapshot, or in another order, do not fit.
 */
function writeHead(writer: ByteWriter, seq: number, pages: readonly Uint8Array[]): void {
  writer.u8(1);
  writer.varint(seq);
  writer.varint(pages.length);
  for (const page of pages) writer.u32(envelopeCrc(page));
}

/** One envelope. Pages do not know their place, so an unchanged one has the same bytes and checksum again. */
function sealPage(write: (writer: ByteWriter) => void, crc32: Crc32): Uint8Array {
  const writer = new ByteWriter();
  const at = beginEnvelope(writer, envelopeKinds.page);
  write(writer);
  endEnvelope(writer, at, crc32);
  return writer.finish();
}

/** @throws DecodeError | CorruptError */
export function decodePages(pages: readonly Uint8Array[], crc32: Crc32): Snapshot {
  const [head, ...rest] = pages;
  if (head === undefined) throw new DecodeError("a snapshot without pages");
  const seq = readHead(openEnvelope(head, envelopeKinds.page, crc32).body, rest);
  const fields = new Map<
    string,
    { name: string; kind: number; value: Uint8Array[]; operations: Uint8Array[] }
  >();
  for (const page of rest) {
    // Pieces of one field are joined in the order of the pages, which the head has just vouched for.
    const reader = openEnvelope(page, envelopeKinds.page, crc32).body;
    while (reader.left > 0) {
      const { name, kind, form, bytes } = readPiece(reader);
      const field = fields.get(name) ?? { name, kind, value: [], operations: [] };
      if (field.kind !== kind) throw new DecodeError(`field ${name} has kind ${field.kind} and kind ${kind}`);
      (form === forms.value ? field.value : field.operations).push(bytes);
      fields.set(name, field);
    }
  }
  return {
    seq,
    fields: [...fields.values()].map((field) => ({ ...field, operations: readBlocks(field.operations) })),
  };
}

/** Compares with checksums that the pages carry; that each page fits its own is seen when it is opened. */
export function readHead(reader: ByteReader, rest: readonly Uint8Array[]): number {
  const format = reader.u8();
  if (format !== 1) throw new DecodeError(`snapshot of format ${format}; known is 1`);
  const seq = reader.varint();
  const count = reader.count(4);
  if (count !== rest.length)
    throw new CorruptError(`the head names ${count} pages, ${rest.length} are there`);
  for (const [index, page] of rest.entries()) {
    if (page.length < envelopeBytes) throw new DecodeError(`page ${index + 1} has ${page.length} bytes`);
    if (reader.u32() !== envelopeCrc(page))
      throw new CorruptError(`page ${index + 1} is not the one that the head names`);
  }
  reader.end();
  return seq;
}

/** A form that is not known would be taken for a value: it is refused. */
function readPiece(reader: ByteReader): Piece {
  const name = reader.text();
  const kind = reader.u8();
  const form = reader.u8();
  if (form !== forms.value && form !== forms.operations)
    throw new DecodeError(`piece of unknown form ${form}`);
  return { name, kind, form, bytes: reader.block() };
}

/** The blocks of operations, each as its delta had it; a piece may end inside of one. */
function readBlocks(pieces: readonly Uint8Array[]): Uint8Array[] {
  const reader = new ByteReader(joinBytes(pieces));
  const blocks: Uint8Array[] = [];
  while (reader.left > 0) blocks.push(reader.block());
  return blocks;
}

/** One piece is not copied. */
export function joinBytes(pieces: readonly Uint8Array[]): Uint8Array {
  const [first] = pieces;
  if (pieces.length === 1 && first !== undefined) return first;
  const writer = new ByteWriter(pieces.reduce((sum, piece) => sum + piece.length, 0));
  for (const piece of pieces) writer.raw(piece);
  return writer.finish();
}
