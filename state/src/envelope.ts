// The envelope of every durable byte: {magic u32, version u8, kind u8, flags u16, length u32, crc32 u32}, the
// body, extensions. Little-endian. `length` counts the body; the CRC covers the header, with its own field
// zero, and all that follows. These 16 bytes stay as they are in every version, so that what a later one
// wrote is told from what is damaged.
import { ByteReader, type ByteWriter, DecodeError } from "@voda/stdx";
import { CorruptError, UnsupportedFormatError } from "./errors.ts";

/** CRC-32 as in zlib; `before` is the checksum of the bytes that come first. */
export type Crc32 = (bytes: Uint8Array, before?: number) => number;

/** Of the header, in every version. */
export const envelopeBytes = 16;
/** "voda" in the order of the bytes. */
export const envelopeMagic = 0x61646f76;
/** What is written. Version 1, without extensions, is read. */
export const envelopeVersion = 2;
/** The kinds of this room; the data plane's records count from 16. */
export const envelopeKinds = { delta: 1, page: 2 } as const;

/**
 * Something beside the body. A reader that does not know its tag skips it, unless it is critical: then it
 * refuses the whole.
 */
export interface Extension {
  readonly tag: number;
  readonly critical: boolean;
  readonly bytes: Uint8Array;
}

/** What `openEnvelope` found, checked. */
export interface Envelope {
  readonly version: number;
  readonly body: ByteReader;
  readonly extensions: readonly Extension[];
}

const lengthAt = 8;
const crcAt = 12;

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

/**
 * Ends the body of the envelope that began at `at`, appends the extensions, and fills in length and checksum.
 */
export function endEnvelope(
  writer: ByteWriter,
  at: number,
  crc32: Crc32,
  extensions: readonly Extension[] = [],
): void {
  writer.patchU32(at + lengthAt, writer.length - at - envelopeBytes);
  for (const { tag, critical, bytes } of extensions) {
    writer.varint(2 * tag + (critical ? 1 : 0));
    writer.block(bytes);
  }
  writer.patchU32(at + crcAt, crc32(writer.peek(at)));
}

/**
 * The envelope of this kind, after every check of the header. `known`: tags of extensions that the caller
 * reads.
 * @throws DecodeError | CorruptError | UnsupportedFormatError
 */
export function openEnvelope(
  bytes: Uint8Array,
  kind: number,
  crc32: Crc32,
  known: readonly number[] = [],
): Envelope {
  const header = new ByteReader(bytes);
  const magic = header.u32();
  if (magic !== envelopeMagic)
    throw new DecodeError(`magic 0x${magic.toString(16)} is not 0x${envelopeMagic.toString(16)}`);
  const version = header.u8();
  const found = header.u8();
  const flags = header.u16();
  const length = header.u32();
  const expected = header.u32();
  const crc = checksum(bytes, crc32);
  if (crc !== expected) throw new CorruptError(`crc32 of ${crc} does not match ${expected} in the envelope`);
  if (version === 0 || version > envelopeVersion)
    throw new UnsupportedFormatError(`envelope of version ${version}; known are 1 to ${envelopeVersion}`);
  if (found !== kind) throw new DecodeError(`envelope of kind ${found} where kind ${kind} belongs`);
  if (flags !== 0) throw new DecodeError(`envelope with unknown flags 0x${flags.toString(16)}`);
  if (version === 1 && length !== header.left)
    throw new DecodeError(`envelope says ${length} bytes, ${header.left} are there`);
  const body = new ByteReader(header.raw(length));
  return { version, body, extensions: readExtensions(header, known) };
}

function readExtensions(reader: ByteReader, known: readonly number[]): Extension[] {
  const extensions: Extension[] = [];
  while (reader.left > 0) {
    const word = reader.varint();
    const tag = Math.floor(word / 2);
    const critical = word % 2 === 1;
    const bytes = reader.block();
    if (known.includes(tag)) extensions.push({ tag, critical, bytes });
    else if (critical)
      throw new UnsupportedFormatError(`critical extension ${tag}, which this version does not know`);
  }
  return extensions;
}

/** The checksum that a sealed envelope carries; not verified. */
export function envelopeCrc(bytes: Uint8Array): number {
  return new ByteReader(bytes.subarray(crcAt)).u32();
}

// Scratch space of one check: an array of its own costs as much as the checksum of a small delta.
const headerWithoutCrc = new Uint8Array(envelopeBytes);

/** Of bytes that have a whole header. */
function checksum(bytes: Uint8Array, crc32: Crc32): number {
  for (let at = 0; at < crcAt; at += 1) headerWithoutCrc[at] = bytes[at] ?? 0;
  return crc32(bytes.subarray(envelopeBytes), crc32(headerWithoutCrc));
}
