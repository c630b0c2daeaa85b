// The envelope of every durable byte: {magic u32, version u8, kind u8, flags u16, length u32, crc32 u32}, then the body.
// Little-endian. `length` counts the body; the CRC covers the header, with its own field zero, and the body.
import { ByteReader, type ByteWriter, DecodeError } from "@voda/stdx";
import { CorruptError } from "./errors.ts";

/** CRC-32 as in zlib; `before` is the checksum of the bytes that come first. */
export type Crc32 = (bytes: Uint8Array, before?: number) => number;

export const envelopeBytes = 16;
/** "voda" in the order of the bytes. */
export const envelopeMagic = 0x61646f76;
export const envelopeVersion = 1;
/** The kinds of this room; the data plane's records count from 16. */
export const envelopeKinds = { delta: 1, page: 2 } as const;

const LENGTH_AT = 8;
const CRC_AT = 12;

/** Starts an envelope at the end of what was written; the body comes next, then `endEnvelope`. */
export function beginEnvelope(writer: ByteWriter, kind: number): number {
  const at = writer.length;
  writer.u32(envelopeMagic);
  writer.u8(envelopeVersion);
  writer.u8(kind);
  writer.u16(0);
  writer.u32(0);
  writer.u32(0);
  return at;
}

/** Fills in length and checksum of the envelope that began at `at`. */
export function endEnvelope(writer: ByteWriter, at: number, crc32: Crc32): void {
  writer.patchU32(at + LENGTH_AT, writer.length - at - envelopeBytes);
  writer.patchU32(at + CRC_AT, crc32(writer.peek(at)));
}

/** The body of an envelope of this kind, after every check of the header. @throws DecodeError | CorruptError */
export function openEnvelope(bytes: Uint8Array, kind: number, crc32: Crc32): ByteReader {
  const header = new ByteReader(bytes);
  const magic = header.u32();
  if (magic !== envelopeMagic)
    throw new DecodeError(`magic 0x${magic.toString(16)} is not 0x${envelopeMagic.toString(16)}`);
  const version = header.u8();
  if (version !== envelopeVersion)
    throw new DecodeError(`envelope of version ${version}; known is ${envelopeVersion}`);
  const found = header.u8();
  if (found !== kind) throw new DecodeError(`envelope of kind ${found} where kind ${kind} belongs`);
  const flags = header.u16();
  if (flags !== 0) throw new DecodeError(`envelope with unknown flags 0x${flags.toString(16)}`);
  const length = header.u32();
  const expected = header.u32();
  if (length !== header.left)
    throw new DecodeError(`envelope says ${length} bytes, ${header.left} are there`);
  const crc = checksum(bytes, crc32);
  if (crc !== expected) throw new CorruptError(`crc32 of ${crc} does not match ${expected} in the envelope`);
  return header;
}

/** The checksum that a sealed envelope carries; not verified. */
export function envelopeCrc(bytes: Uint8Array): number {
  return new ByteReader(bytes.subarray(CRC_AT)).u32();
}

function checksum(bytes: Uint8Array, crc32: Crc32): number {
  const header = bytes.slice(0, envelopeBytes);
  header.fill(0, CRC_AT);
  return crc32(bytes.subarray(envelopeBytes), crc32(header));
}
