import type { RingWriter } from "../src/ring/index.ts";

/** Copies a record in; `false` when the ring is full. */
export function writeRecord(writer: RingWriter, bytes: Uint8Array): boolean {
  const at = writer.reserve(bytes.length);
  if (at === false) return false;
  writer.memory.bytes.set(bytes, at);
  writer.commit(at, bytes.length);
  return true;
}
