// What every record begins with.
import type { SessionName } from "@voda/proto/session";
import type { ByteReader, ByteWriter } from "@voda/stdx";
import { idBytes, type RecordId, readFlags, readRid, sized, writeRid } from "./words.ts";

/**
 * What tells a record's place: by `prev`, `prevHash` and `n` a reader sees that none is missing and none was
 * replaced.
 */
export interface RecordHead {
  readonly rid: RecordId;
  /** The record before it in the lane; `noRecord` before the first. */
  readonly prev: RecordId;
  /**
   * 16 bytes: hash of that record's bytes; zeros before the first. `undefined`: of format 1, which has none.
   */
  readonly prevHash: Uint8Array | undefined;
  /** Dense position in the lane, from 1. */
  readonly n: number;
  readonly epoch: number;
  /** The session's birth id, 16 bytes. */
  readonly uid: Uint8Array;
  /** Sequence of the first record that replay needs. */
  readonly from: number;
  /** The store's clock, as the writer estimates it: milliseconds since 1970. */
  readonly storeMs: number;
  /** The state before this record is empty, whatever lies before it in the lane. */
  readonly born: boolean;
  /** In the first record of a life and in every fold, so that two names with one token show. */
  readonly name: SessionName | undefined;
}

const flag = { born: 1, named: 2, chained: 4 } as const;
const knownFlags = 7;

/** Flags say which optional fields follow; ids and hashes have 16 bytes and no length before them. */
export function writeHead(writer: ByteWriter, head: RecordHead): void {
  const { name, prevHash } = head;
  writer.u8(
    (head.born ? flag.born : 0) |
      (name === undefined ? 0 : flag.named) |
      (prevHash === undefined ? 0 : flag.chained),
  );
  writeRid(writer, head.rid);
  writeRid(writer, head.prev);
  if (prevHash !== undefined) writer.raw(sized(prevHash));
  writer.varint(head.n);
  writer.varint(head.epoch);
  writer.raw(sized(head.uid));
  writer.varint(head.from);
  writer.varint(head.storeMs);
  if (name === undefined) return;
  writer.text(name.namespace);
  writer.text(name.agent);
  writer.text(name.key);
}

/** @throws DecodeError on flags of a later version */
export function readHead(body: ByteReader): RecordHead {
  const flags = readFlags(body, knownFlags, "record");
  return {
    rid: readRid(body),
    prev: readRid(body),
    prevHash: (flags & flag.chained) === 0 ? undefined : body.raw(idBytes),
    ...readPlace(body),
    born: (flags & flag.born) !== 0,
    name: (flags & flag.named) === 0 ? undefined : readName(body),
  };
}

/** As in format 1. */
export function readPlace(body: ByteReader): Pick<RecordHead, "n" | "epoch" | "uid" | "from" | "storeMs"> {
  return {
    n: body.varint(),
    epoch: body.varint(),
    uid: body.raw(idBytes),
    from: body.varint(),
    storeMs: body.varint(),
  };
}

/**
 * As in format 1. Checked against the lane's own name by whoever reads: a token is a hash, and two names
 * could share one.
 */
export function readName(body: ByteReader): SessionName {
  return { namespace: body.text(), agent: body.text(), key: body.text() };
}
