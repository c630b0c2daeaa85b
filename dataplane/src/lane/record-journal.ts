// What turns have done outside of the session, as records have it (docs/effects.md).
import type { ByteReader, ByteWriter } from "@voda/stdx";
import { type Drawn, readDrawn, writeDrawn } from "../call/index.ts";
import { idBytes, readFlags, readList, sized, writeList } from "./words.ts";

/** A step of a turn that is not committed. */
export interface JournalEntry {
  /** Of the turn, however often it runs: 16 bytes over the session's life and the call's id. */
  readonly turnId: Uint8Array;
  /** 16 bytes over what the call means; `undefined` where nobody could say. */
  readonly canonicalHash: Uint8Array | undefined;
  readonly name: string;
  /** By the store's clock. */
  readonly expiresAtMs: number;
  readonly drawn: Drawn;
  readonly result: Uint8Array;
}

/** Of a record with turns: what is done, and which journals end. Of a fold: all that may be asked for. */
export interface JournalPart {
  /** In the order in which they were done. */
  readonly entries: readonly JournalEntry[];
  /** Turns that took place, or never will. */
  readonly ended: readonly Uint8Array[];
}

const flag = { canonical: 1 } as const;

/** `undefined` where there is nothing to say: it has no part then. */
export const journalPart = {
  isEmpty: (): boolean => false,
  write(writer: ByteWriter, { entries, ended }: JournalPart): void {
    writeList(writer, entries, writeEntry);
    writeList(writer, ended, (_, turnId) => writer.raw(sized(turnId)));
  },
  read: (reader: ByteReader): JournalPart => ({
    entries: readList(reader, 2 * idBytes + 4, readEntry),
    ended: readList(reader, idBytes, (body) => body.raw(idBytes)),
  }),
};

function writeEntry(
  writer: ByteWriter,
  { turnId, canonicalHash, name, expiresAtMs, drawn, result }: JournalEntry,
): void {
  writer.u8(canonicalHash === undefined ? 0 : flag.canonical);
  writer.raw(sized(turnId));
  if (canonicalHash !== undefined) writer.raw(sized(canonicalHash));
  writer.text(name);
  writer.varint(expiresAtMs);
  writeDrawn(writer, drawn);
  writer.block(result);
}

/** Views on the record's bytes. */
function readEntry(body: ByteReader): JournalEntry {
  const isCanonical = readFlags(body, flag.canonical, "step") !== 0;
  return {
    turnId: body.raw(idBytes),
    canonicalHash: isCanonical ? body.raw(idBytes) : undefined,
    name: body.text(),
    expiresAtMs: body.varint(),
    drawn: readDrawn(body),
    result: body.block(),
  };
}
