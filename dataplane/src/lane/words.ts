// What several parts of a record are written with.

import type { PageName } from "@voda/proto/wire";
import { type ByteReader, type ByteWriter, DecodeError } from "@voda/stdx";
import type { Incarnation } from "./types.ts";

/** Unique for ever: the writer's incarnation and a number that it gives out once. */
export interface RecordId {
  readonly incarnation: Incarnation;
  readonly counter: number;
}

/** Ids and hashes. */
export const idBytes = 16;

/** What the first record of a lane names as the one before it. */
export const noRecord: RecordId = { incarnation: "0".repeat(2 * idBytes), counter: 0 };

/** Equality of ids is equality of records: a counter is given out once per incarnation. */
export function sameRecord(a: RecordId, b: RecordId): boolean {
  return a.counter === b.counter && a.incarnation === b.incarnation;
}

/** 16 bytes of incarnation, then the counter as a varint. */
export function writeRid(writer: ByteWriter, rid: RecordId): void {
  if (written.incarnation !== rid.incarnation)
    written = { incarnation: rid.incarnation, bytes: bytesOf(rid.incarnation) };
  writer.raw(written.bytes);
  writer.varint(rid.counter);
}

/** A node writes its own incarnation again and again. */
let written: { readonly incarnation: string; readonly bytes: Uint8Array } = {
  incarnation: "",
  bytes: new Uint8Array(0),
};

function bytesOf(incarnation: string): Uint8Array {
  const bytes = new Uint8Array(idBytes);
  for (let i = 0; i < idBytes; i += 1) bytes[i] = Number.parseInt(incarnation.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

/** @throws DecodeError when bytes are missing */
export function readRid(body: ByteReader): RecordId {
  let incarnation = "";
  for (const byte of body.raw(idBytes)) incarnation += byte.toString(16).padStart(2, "0");
  return { incarnation, counter: body.varint() };
}

/** @throws RangeError */
export function sized(bytes: Uint8Array): Uint8Array {
  if (bytes.length !== idBytes) throw new RangeError(`${bytes.length} bytes where ${idBytes} belong`);
  return bytes;
}

/** Two varints: epoch, index. */
export function writePageName(writer: ByteWriter, name: PageName): void {
  writer.varint(name.epoch);
  writer.varint(name.index);
}

/** @throws DecodeError when bytes are missing */
export function readPageName(body: ByteReader): PageName {
  return { epoch: body.varint(), index: body.varint() };
}

/** A count as a varint, then one after the other. */
export function writeList<T>(
  writer: ByteWriter,
  list: readonly T[],
  write: (writer: ByteWriter, one: T) => void,
): void {
  writer.varint(list.length);
  for (const one of list) write(writer, one);
}

/** `bytesEach`: the least that one takes. */
export function readList<T>(body: ByteReader, bytesEach: number, read: (body: ByteReader) => T): T[] {
  const list = new Array<T>(body.count(bytesEach));
  for (let i = 0; i < list.length; i += 1) list[i] = read(body);
  return list;
}

/** Flags of which this version knows `known`; another one may change what follows. */
export function readFlags(body: ByteReader, known: number, what: string): number {
  const flags = body.u8();
  if (flags > known) throw new DecodeError(`${what} with unknown flags 0x${flags.toString(16)}`);
  return flags;
}

/** 16 bytes that tell any two byte strings apart. */
export type Hash = (bytes: Uint8Array) => Uint8Array;

/** Shared: nobody writes to it, it has no room. */
export const noBytes = new Uint8Array(0);
