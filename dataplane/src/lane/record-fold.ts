// What a fold holds of the session, and what may go because of it.

import type { PageName } from "@voda/proto/wire";
import type { ByteReader, ByteWriter } from "@voda/stdx";
import {
  idBytes,
  type RecordId,
  readFlags,
  readList,
  readPageName,
  readRid,
  sized,
  writeList,
  writePageName,
  writeRid,
} from "./words.ts";

/** The state of the session after some record, and whether it was released by this one. */
export interface FoldSnapshot {
  /** Last sequence inside the snapshot, and what lies there. */
  readonly covers: number;
  readonly coversRid: RecordId;
  /** Nothing lies between `covers` and this record: the last record alone is enough to wake. */
  readonly whole: boolean;
  readonly released: boolean;
  /** Pages in order: their bytes when the snapshot is small, else their names. */
  readonly inline: readonly Uint8Array[] | undefined;
  readonly table: readonly PageEntry[];
}

/**
 * One page of a snapshot; `hash`: 16 bytes of SHA-256, by which a page that did not change keeps its name in
 * the next fold.
 */
export interface PageEntry {
  readonly name: PageName;
  readonly hash: Uint8Array;
}

/**
 * Cleaning that is not done yet. It travels in the folds, so whoever owns the session next goes on with it.
 */
export interface Trims {
  readonly trim: TrimMark | undefined;
  readonly retired: readonly RetiredPages[];
}

/** A fold that waits until the store cannot lose it; then everything that it covers may go. */
export interface TrimMark {
  readonly covers: number;
  /** When it was accepted, by the store's clock. */
  readonly storeMs: number;
}

/** Pages that no fold after the one at `seq` names. */
export interface RetiredPages {
  readonly seq: number;
  readonly names: readonly PageName[];
}

const flag = { whole: 1, released: 2, inline: 4 } as const;
const knownFlags = 7;

/** Each fold has one: it is never empty, not even of a session with an empty state. */
export const snapshotPart = {
  isEmpty: (): boolean => false,
  write(writer: ByteWriter, { whole, released, inline, table, covers, coversRid }: FoldSnapshot): void {
    writer.u8(
      (whole ? flag.whole : 0) | (released ? flag.released : 0) | (inline === undefined ? 0 : flag.inline),
    );
    writer.varint(covers);
    writeRid(writer, coversRid);
    if (inline === undefined) writeList(writer, table, writePageEntry);
    else writeList(writer, inline, (_, page) => writer.block(page));
  },
  read(reader: ByteReader): FoldSnapshot {
    const flags = readFlags(reader, knownFlags, "snapshot");
    const isInline = (flags & flag.inline) !== 0;
    return {
      covers: reader.varint(),
      coversRid: readRid(reader),
      whole: (flags & flag.whole) !== 0,
      released: (flags & flag.released) !== 0,
      inline: isInline ? readList(reader, 1, (body) => body.block()) : undefined,
      table: isInline ? [] : readList(reader, 2 + idBytes, readPageEntry),
    };
  },
};

/** Nothing is left to clean. */
export const noTrims: Trims = { trim: undefined, retired: [] };

/** `trim` is optional, hence a flags byte of its own before it. */
export const trimsPart = {
  isEmpty: ({ trim, retired }: Trims): boolean => trim === undefined && retired.length === 0,
  write(writer: ByteWriter, { trim, retired }: Trims): void {
    writer.u8(trim === undefined ? 0 : 1);
    if (trim !== undefined) {
      writer.varint(trim.covers);
      writer.varint(trim.storeMs);
    }
    writeList(writer, retired, (_, { seq, names }) => {
      writer.varint(seq);
      writeList(writer, names, writePageName);
    });
  },
  read(reader: ByteReader): Trims {
    const flags = readFlags(reader, 1, "trims");
    const trim = flags === 0 ? undefined : { covers: reader.varint(), storeMs: reader.varint() };
    return { trim, retired: readRetired(reader) };
  },
};

/** As in format 1. */
export function readRetired(reader: ByteReader): RetiredPages[] {
  return readList(reader, 2, (body) => ({ seq: body.varint(), names: readList(body, 2, readPageName) }));
}

function writePageEntry(writer: ByteWriter, { name, hash }: PageEntry): void {
  writePageName(writer, name);
  writer.raw(sized(hash));
}

/** As in format 1. @throws DecodeError */
export function readPageEntry(body: ByteReader): PageEntry {
  return { name: readPageName(body), hash: body.raw(idBytes) };
}
