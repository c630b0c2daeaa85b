// A bell, as it lies in the log: whose it is, who had the session, and when somebody must look at it.
import { decodeNameRecord, encodeNameRecord, type SessionName } from "./session.ts";

export interface StoredBell {
  readonly name: SessionName;
  /** Of the node that has, or had, the session in memory. */
  readonly incarnation: string;
  /** By the store's clock; 0: at once. */
  readonly dueMs: number;
}

const incarnationBytes = 16;
const dueBytes = 8;
/** What the name begins with; no time that a bell says does. */
const jsonStart = 0x5b;

export function encodeBell({ incarnation, dueMs, name }: StoredBell): Uint8Array {
  const text = encodeNameRecord(name);
  const bytes = new Uint8Array(incarnationBytes + dueBytes + text.length);
  bytes.set(Uint8Array.fromHex(incarnation));
  new DataView(bytes.buffer).setBigUint64(incarnationBytes, BigInt(dueMs));
  bytes.set(text, incarnationBytes + dueBytes);
  return bytes;
}

/** `undefined` when the bytes are none. Bells of versions before timers have no time, and are due at once. */
export function decodeBell(bytes: Uint8Array): StoredBell | undefined {
  const isTimed = bytes[incarnationBytes] !== jsonStart;
  if (bytes.length < incarnationBytes + (isTimed ? dueBytes : 0)) return undefined;
  const name = decodeNameRecord(bytes.subarray(incarnationBytes + (isTimed ? dueBytes : 0)));
  const incarnation = bytes.subarray(0, incarnationBytes).toHex();
  const at = new DataView(bytes.buffer, bytes.byteOffset);
  return name && { name, incarnation, dueMs: isTimed ? Number(at.getBigUint64(incarnationBytes)) : 0 };
}
