// The envelope of every durable byte: {magic u32, version u8, kind u8, flags u16, length u32, crc32 u32}, then the body.
// Little-endian. `length` counts the body; the CRC covers the header, with its own field zero, and the body.
import { ByteReader, type ByteWriter, DecodeError } from "@voda/stdx";

/** CRC-32 as in zlib; `before` is the checksum of the bytes that come first. */
export type Crc32 = (bytes: Uint8Array, before?: number) => number;

export const envelopeBytes = 16;
const MAGIC = 0x61646f76;
const VERSION = 1;
const LENGTH_AT = 8;
const CRC_AT = 12;

export function beginEnvelope(writer: ByteWriter, kind: number): number {
  const at = writer.length;
  writer.u32(MAGIC);
  writer.u8(VERSION);
  writer.u8(kind);
  writer.u16(0);
  writer.u32(0);
  writer.u32(0);
  return at;
}

export function endEnvelope(writer: ByteWriter, at: number, crc32: Crc32): void {
  writer.patchU32(at + LENGTH_AT, writer.length - at - envelopeBytes);
  writer.patchU32(at + CRC_AT, crc32(writer.peek(at)));
}

/** Kind and body, after every check of the header. @throws DecodeError */
export function openEnvelope(bytes: Uint8Array, crc32: Crc32): { kind: number; body: ByteReader } {
  const body = new ByteReader(bytes);
  const magic = body.u32();
  if (magic !== MAGIC) throw new DecodeError(`magic 0x${magic.toString(16)} is not 0x${MAGIC.toString(16)}`);
  const version = body.u8();
  if (version !== VERSION) throw new DecodeError(`envelope of version ${version}; known is ${VERSION}`);
  const kind = body.u8();
  const flags = body.u16();
  if (flags !== 0) throw new DecodeError(`envelope with unknown flags 0x${flags.toString(16)}`);
  const length = body.u32();
  const expected = body.u32();
  if (length !== body.left) throw new DecodeError(`envelope says ${length} bytes, ${body.left} are there`);
  const header = bytes.slice(0, envelopeBytes);
  header.fill(0, CRC_AT);
  const crc = crc32(bytes.subarray(envelopeBytes), crc32(header));
  if (crc !== expected) throw new DecodeError(`crc32 of ${crc} does not match ${expected} in the envelope`);
  return { kind, body };
}
