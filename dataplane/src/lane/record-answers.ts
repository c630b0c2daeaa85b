// Stored answers, as folds and tombstones carry them on.
import type { ByteReader, ByteWriter } from "@voda/stdx";
import { type CallHashes, readHashes, writeHashes } from "./record-turns.ts";
import { idBytes, readFlags, readList, sized, writeList } from "./words.ts";

/** What a fold or a tombstone carries on. */
export interface Remembered {
  readonly answers: readonly StoredAnswer[];
  readonly clients: readonly ClientAnswers[];
}

interface AnswerHead extends CallHashes {
  /** Position of the record with its turn. */
  readonly n: number;
  /** `undefined`: done, answer not kept. */
  readonly answer: Uint8Array | undefined;
}

/** An answer under an id of its own. */
export interface StoredAnswer extends AnswerHead {
  readonly id: Uint8Array;
  /** By the store's clock, milliseconds since 1970. */
  readonly expiresAtMs: number;
  readonly brief: boolean;
}

/** What a client that numbers its calls may still ask for. */
export interface ClientAnswers {
  readonly client: Uint8Array;
  /** Numbers below it are answered, and do not come again. */
  readonly lowest: number;
  /** When its last call was committed, by the store's clock. */
  readonly usedAtMs: number;
  readonly answers: readonly NumberedAnswer[];
}

/**
 * An answer under a client's number. It has no time of its own: it goes with the client, or when the client
 * has it.
 */
export interface NumberedAnswer extends AnswerHead {
  readonly seq: number;
}

const flag = { brief: 1, canonical: 2, answered: 4 } as const;
const knownFlags = 7;

/** In the order of the lane, so that what gives way first after a restart is what would have without one. */
export const answersPart = {
  isEmpty: (answers: readonly StoredAnswer[]): boolean => answers.length === 0,
  write: (writer: ByteWriter, answers: readonly StoredAnswer[]): void =>
    writeList(writer, answers, writeAnswer),
  read: (reader: ByteReader): StoredAnswer[] => readList(reader, 2 * idBytes, readAnswer),
};

/** The client that called last is last. */
export const clientsPart = {
  isEmpty: (clients: readonly ClientAnswers[]): boolean => clients.length === 0,
  write: (writer: ByteWriter, clients: readonly ClientAnswers[]): void =>
    writeList(writer, clients, writeClient),
  read: (reader: ByteReader): ClientAnswers[] => readList(reader, idBytes, readClient),
};

function writeAnswer(writer: ByteWriter, entry: StoredAnswer): void {
  writer.u8(flagsOf(entry) | (entry.brief ? flag.brief : 0));
  writer.raw(sized(entry.id));
  writer.varint(entry.expiresAtMs);
  writeAnswerHead(writer, entry);
}

function readAnswer(body: ByteReader): StoredAnswer {
  const flags = readFlags(body, knownFlags, "stored answer");
  const [id, expiresAtMs] = [body.raw(idBytes), body.varint()];
  return { id, expiresAtMs, brief: (flags & flag.brief) !== 0, ...readAnswerHead(body, flags) };
}

function writeClient(writer: ByteWriter, { client, lowest, usedAtMs, answers }: ClientAnswers): void {
  writer.raw(sized(client));
  writer.varint(lowest);
  writer.varint(usedAtMs);
  writeList(writer, answers, writeNumbered);
}

function readClient(body: ByteReader): ClientAnswers {
  const [client, lowest, usedAtMs] = [body.raw(idBytes), body.varint(), body.varint()];
  return { client, lowest, usedAtMs, answers: readList(body, idBytes, readNumbered) };
}

function writeNumbered(writer: ByteWriter, entry: NumberedAnswer): void {
  writer.u8(flagsOf(entry));
  writer.varint(entry.seq);
  writeAnswerHead(writer, entry);
}

function readNumbered(body: ByteReader): NumberedAnswer {
  const flags = readFlags(body, knownFlags, "numbered answer");
  return { seq: body.varint(), ...readAnswerHead(body, flags) };
}

function flagsOf({ canonicalHash, answer }: AnswerHead): number {
  return (canonicalHash === undefined ? 0 : flag.canonical) | (answer === undefined ? 0 : flag.answered);
}

function writeAnswerHead(writer: ByteWriter, entry: AnswerHead): void {
  writeHashes(writer, entry);
  writer.varint(entry.n);
  if (entry.answer !== undefined) writer.block(entry.answer);
}

function readAnswerHead(body: ByteReader, flags: number): AnswerHead {
  const hashes = readHashes(body, (flags & flag.canonical) !== 0);
  return { ...hashes, n: body.varint(), answer: (flags & flag.answered) === 0 ? undefined : body.block() };
}
