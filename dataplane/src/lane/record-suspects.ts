// Which letters of others have begun here and may be what ended their node, as records have it (decision 31).
import { type ByteReader, type ByteWriter, DecodeError } from "@voda/stdx";
import type { Incarnation } from "./types.ts";
import { idBytes, readFlags, readList, readRid, sized, writeList, writeRid } from "./words.ts";

/** Of one source, which has one letter on its way here at a time. */
export interface SuspectMark {
  readonly source: Uint8Array;
  readonly n: number;
  /** Nodes that had ended under it when it began. */
  readonly ends: number;
  /** Nodes that had been closed in order under it, as far as they are no ends. */
  readonly closes: number;
  /** Of the node that it began on, and when, by the store's clock. */
  readonly incarnation: Incarnation;
  readonly atMs: number;
}

/** What a record says of one: that it has begun, or that it has ended and its node lives. */
export type SuspectChange =
  | { readonly type: "begun"; readonly mark: SuspectMark }
  | { readonly type: "ended"; readonly source: Uint8Array };

const flag = { begun: 1, closed: 2 } as const;

export const suspectsPart = {
  isEmpty: (changes: readonly SuspectChange[]): boolean => changes.length === 0,
  write: (writer: ByteWriter, changes: readonly SuspectChange[]): void =>
    writeList(writer, changes, writeChange),
  read: (reader: ByteReader): SuspectChange[] => readList(reader, idBytes + 1, readChange),
};

function writeChange(writer: ByteWriter, change: SuspectChange): void {
  if (change.type === "ended") {
    writer.u8(0);
    writer.raw(sized(change.source));
    return;
  }
  const { source, n, ends, closes, incarnation, atMs } = change.mark;
  writer.u8(flag.begun | (closes > 0 ? flag.closed : 0));
  writer.raw(sized(source));
  writer.varint(n);
  writer.varint(ends);
  if (closes > 0) writer.varint(closes);
  writeRid(writer, { incarnation, counter: atMs });
}

/** Views on the record's bytes. */
function readChange(body: ByteReader): SuspectChange {
  const flags = readFlags(body, flag.begun | flag.closed, "suspect");
  const source = body.raw(idBytes);
  if ((flags & flag.begun) === 0) {
    if (flags !== 0) throw new DecodeError(`suspect that has ended, with flags 0x${flags.toString(16)}`);
    return { type: "ended", source };
  }
  const [n, ends] = [body.varint(), body.varint()];
  const closes = (flags & flag.closed) === 0 ? 0 : body.varint();
  const { incarnation, counter: atMs } = readRid(body);
  return { type: "begun", mark: { source, n, ends, closes, incarnation, atMs } };
}
