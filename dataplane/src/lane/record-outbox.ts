// What a session sends, and what it has had from others, as records have it (PROTOCOL.md 6.2).
import type { ByteReader, ByteWriter } from "@voda/stdx";
import { readSend, writeSend } from "../call/index.ts";
import type { Letter } from "./types.ts";
import { idBytes, readFlags, readList, sized, writeList } from "./words.ts";

/** Of a record with turns: what they send. Of a fold: all that is not over. */
export interface OutboxPart {
  /** Letters below it are over: delivered, or given up. */
  readonly overBelow: number;
  /** Of the letter that is sent next. */
  readonly next: number;
  /** In ascending order. */
  readonly letters: readonly Letter[];
  /** Of a record with turns, ascending: those above `done` that were given up. Absent: none. */
  readonly buried?: readonly number[];
}

/** The highest number that came from a source. */
export interface SeenMark {
  /** Its birth id, 16 bytes. */
  readonly source: Uint8Array;
  readonly n: number;
  /** When it came, by the store's clock. */
  readonly usedAtMs: number;
  /** Its source has given it up: it was not taken, and never will be. */
  readonly isGivenUp: boolean;
}

/** `undefined` where there is nothing to say: it has no part then. */
export const outboxPart = {
  isEmpty: (): boolean => false,
  write(writer: ByteWriter, { overBelow, next, letters }: OutboxPart): void {
    writer.varint(overBelow);
    writer.varint(next);
    writeList(writer, letters, writeLetter);
  },
  read: (reader: ByteReader): OutboxPart => ({
    overBelow: reader.varint(),
    next: reader.varint(),
    letters: readList(reader, 7, readLetter),
  }),
};

/** A part of its own: versions before it do not know it. */
export const buriedPart = {
  isEmpty: ({ buried = [] }: OutboxPart): boolean => buried.length === 0,
  write: (writer: ByteWriter, { buried = [] }: OutboxPart): void =>
    writeList(writer, buried, (_, n) => writer.varint(n)),
  read: (reader: ByteReader): OutboxPart => ({
    overBelow: 0,
    next: 0,
    letters: [],
    buried: readList(reader, 1, (body) => body.varint()),
  }),
};

/** The source that sent last is last. Those that were taken, and those that were given up: a part each. */
export const seenPart = (isGivenUp: boolean) => ({
  isEmpty: (seen: readonly SeenMark[]): boolean => seen.every((mark) => mark.isGivenUp !== isGivenUp),
  write: (writer: ByteWriter, seen: readonly SeenMark[]): void =>
    writeList(
      writer,
      seen.filter((mark) => mark.isGivenUp === isGivenUp),
      (_, { source, n, usedAtMs }) => {
        writer.raw(sized(source));
        writer.varint(n);
        writer.varint(usedAtMs);
      },
    ),
  read: (reader: ByteReader): SeenMark[] =>
    readList(reader, idBytes + 2, (body) => ({
      source: body.raw(idBytes),
      n: body.varint(),
      usedAtMs: body.varint(),
      isGivenUp,
    })),
});

function writeLetter(writer: ByteWriter, letter: Letter): void {
  writer.u8(0);
  writer.varint(letter.n);
  writer.varint(letter.atMs);
  writeSend(writer, letter);
}

function readLetter(body: ByteReader): Letter {
  readFlags(body, 0, "letter");
  return { n: body.varint(), atMs: body.varint(), ...readSend(body) };
}
