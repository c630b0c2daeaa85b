import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import { ByteWriter, DecodeError } from "@voda/stdx";
import {
  beginEnvelope,
  CorruptError,
  type Extension,
  endEnvelope,
  envelopeCrc,
  openEnvelope,
  UnsupportedFormatError,
} from "./index.ts";

function seal(kind: number, body: readonly number[], extensions: readonly Extension[] = []): Uint8Array {
  const writer = new ByteWriter();
  const at = beginEnvelope(writer, kind);
  writer.raw(Uint8Array.from(body));
  endEnvelope(writer, at, crc32, extensions);
  return writer.finish();
}

/** The same bytes with another version, and the checksum that belongs to them. */
function ofVersion(version: number, sealed: Uint8Array): Uint8Array {
  const bytes = sealed.slice();
  bytes[4] = version;
  bytes.fill(0, 12, 16);
  new DataView(bytes.buffer).setUint32(12, crc32(bytes), true);
  return bytes;
}

const extension = (tag: number, critical: boolean, ...bytes: number[]): Extension => ({
  tag,
  critical,
  bytes: Uint8Array.from(bytes),
});

test("an envelope gives back its body", () => {
  const { body } = openEnvelope(seal(16, [1, 2, 3]), 16, crc32);
  assert.deepEqual([...body.raw(body.left)], [1, 2, 3]);
});

test("an envelope inside other bytes covers only itself", () => {
  const writer = new ByteWriter();
  writer.u32(7);
  const at = beginEnvelope(writer, 16);
  writer.u8(9);
  endEnvelope(writer, at, crc32);
  const whole = writer.finish();
  assert.deepEqual(whole.subarray(4), seal(16, [9]));
});

test("the bytes of an envelope never change", () => {
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
  assert.equal(hex(ofVersion(1, seal(16, [1, 2, 3]))), "766f646101100000030000002fbb3c55010203");
  assert.equal(
    hex(seal(16, [1, 2, 3], [extension(3, true, 9)])),
    "766f646102100000030000006c91006b010203070109",
  );
});

test("version 1 is read, and has no extensions", () => {
  const { body, version } = openEnvelope(ofVersion(1, seal(16, [1, 2, 3])), 16, crc32);
  assert.deepEqual([version, ...body.raw(body.left)], [1, 1, 2, 3]);
  assert.throws(
    () => openEnvelope(ofVersion(1, seal(16, [1], [extension(3, false)])), 16, crc32, [3]),
    DecodeError,
  );
});

test("extensions that the reader knows are given, others skipped unless they are critical", () => {
  const [known, other, critical] = [extension(1, true, 5, 6), extension(2, false, 7), extension(9, true)];
  const { extensions, body } = openEnvelope(seal(16, [4], [other, known]), 16, crc32, [1]);
  assert.deepEqual(extensions, [known]);
  assert.equal(body.u8(), 4);
  assert.throws(
    () => openEnvelope(seal(16, [4], [known, critical]), 16, crc32, [1]),
    (error) => error instanceof UnsupportedFormatError && /extension 9/.test(error.message),
  );
});

test("a later version is unsupported, never corrupt; one that is damaged as well is corrupt", () => {
  const later = ofVersion(3, seal(16, [1, 2, 3]));
  assert.throws(() => openEnvelope(later, 16, crc32), UnsupportedFormatError);
  later[17] = 9;
  assert.throws(() => openEnvelope(later, 16, crc32), CorruptError);
});

test("the checksum covers the header with its own field zero, and the body", () => {
  const sealed = seal(16, [1, 2, 3]);
  const blank = sealed.slice();
  blank.fill(0, 12, 16);
  assert.equal(envelopeCrc(sealed), crc32(blank));
});

test("every bit flip and every truncation is refused", () => {
  const sealed = seal(16, [1, 2, 3]);
  for (let bit = 0; bit < sealed.length * 8; bit += 1) {
    const flipped = sealed.slice();
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.throws(() => openEnvelope(flipped, 16, crc32), isRefusal, `bit ${bit}`);
  }
  for (let length = 0; length < sealed.length; length += 1) {
    assert.throws(() => openEnvelope(sealed.subarray(0, length), 16, crc32), isRefusal, `${length} bytes`);
  }
});

test("an envelope of another kind is refused by name", () => {
  assert.throws(() => openEnvelope(seal(17, []), 16, crc32), /kind 17 where kind 16 belongs/);
});

function isRefusal(error: unknown): boolean {
  return error instanceof DecodeError || error instanceof CorruptError;
}

test("bytes that are no envelope are said to be none, whatever their checksum", () => {
  const sealed = seal(16, [1, 2, 3]);
  sealed[0] = 0;
  assert.throws(
    () => openEnvelope(ofVersion(2, sealed), 16, crc32),
    (error) => error instanceof DecodeError && error.message.startsWith("magic 0x61646f00 is not"),
  );
});
