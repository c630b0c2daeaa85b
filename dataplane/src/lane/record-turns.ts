// Turns in a record.
import type { ByteReader, ByteWriter } from "@voda/stdx";
import { idBytes, noBytes, readFlags, readList, sized, writeList } from "./words.ts";

/** A turn. Answers are kept only under an id. */
export interface TurnEntry {
  readonly key: TurnKey | undefined;
  readonly delta: Uint8Array;
  readonly answer: Uint8Array;
}

/** Tells the call from another one under the same id. */
export interface CallHashes {
  /** 16 bytes: over method, content and the body's bytes. */
  readonly rawHash: Uint8Array;
  /**
   * 16 bytes: over what the method understood, however it was written. `undefined`: of format 1, or of a call
   * that was not decoded.
   */
  readonly canonicalHash: Uint8Array | undefined;
}

/** Under what the answer is stored: an id of its own, or a client's number. */
export type TurnKey = CallHashes &
  (
    | { readonly type: "key"; readonly id: Uint8Array; readonly keepMs: number }
    | {
        readonly type: "numbered";
        readonly client: Uint8Array;
        readonly seq: number;
        readonly lowest: number;
      }
  );

const flag = { key: 1, numbered: 2, canonical: 4 } as const;
const knownFlags = 7;

/** Deltas in the order in which the turns took place: replay applies them one after the other. */
export const turnsPart = {
  isEmpty: (turns: readonly TurnEntry[]): boolean => turns.length === 0,
  write: (writer: ByteWriter, turns: readonly TurnEntry[]): void => writeList(writer, turns, writeTurn),
  read: (reader: ByteReader): TurnEntry[] => readList(reader, 2, readTurn),
};

function writeTurn(writer: ByteWriter, { key, delta, answer }: TurnEntry): void {
  if (key === undefined) {
    writer.u8(0);
  } else {
    writer.u8(flag[key.type] | (key.canonicalHash === undefined ? 0 : flag.canonical));
    writeKey(writer, key);
    writeHashes(writer, key);
    writer.block(answer);
  }
  writer.block(delta);
}

function writeKey(writer: ByteWriter, key: TurnKey): void {
  if (key.type === "key") {
    writer.raw(sized(key.id));
    writer.varint(key.keepMs);
  } else {
    writer.raw(sized(key.client));
    writer.varint(key.seq);
    writer.varint(key.lowest);
  }
}

/** The caller's flags say whether `canonicalHash` is there. */
export function writeHashes(writer: ByteWriter, { rawHash, canonicalHash }: CallHashes): void {
  writer.raw(sized(rawHash));
  if (canonicalHash !== undefined) writer.raw(sized(canonicalHash));
}

/** Views on the record's bytes. */
export function readHashes(body: ByteReader, isCanonical: boolean): CallHashes {
  return { rawHash: body.raw(idBytes), canonicalHash: isCanonical ? body.raw(idBytes) : undefined };
}

function readTurn(body: ByteReader): TurnEntry {
  const flags = readFlags(body, knownFlags, "turn");
  const key = readKey(body, flags);
  const answer = key === undefined ? noBytes : body.block();
  return { key, delta: body.block(), answer };
}

function readKey(body: ByteReader, flags: number): TurnKey | undefined {
  const isCanonical = (flags & flag.canonical) !== 0;
  if ((flags & flag.key) !== 0) {
    const [id, keepMs] = [body.raw(idBytes), body.varint()];
    return { type: "key", id, keepMs, ...readHashes(body, isCanonical) };
  }
  if ((flags & flag.numbered) === 0) return undefined;
  const [client, seq, lowest] = [body.raw(idBytes), body.varint(), body.varint()];
  return { type: "numbered", client, seq, lowest, ...readHashes(body, isCanonical) };
}
