import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import { ByteWriter, DecodeError } from "@voda/stdx";
import { beginEnvelope, CorruptError, endEnvelope, envelopeCrc, openEnvelope } from "./index.ts";

function seal(kind: number, body: readonly number[]): Uint8Array {
  const writer = new ByteWriter();
  const at = beginEnvelope(writer, kind);
  writer.raw(Uint8Array.from(body));
  endEnvelope(writer, at, crc32);
  return writer.finish();
}

test("an envelope gives back its body", () => {
  const reader = openEnvelope(seal(16, [1, 2, 3]), 16, crc32);
  assert.deepEqual([...reader.raw(reader.left)], [1, 2, 3]);
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
  assert.equal(Buffer.from(seal(16, [1, 2, 3])).toString("hex"), "766f646101100000030000002fbb3c55010203");
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
    assert.throws(() => openEnvelope(sealed.subarray(0, length), 16, crc32), DecodeError);
  }
});

test("an envelope of another kind is refused by name", () => {
  assert.throws(() => openEnvelope(seal(17, []), 16, crc32), /kind 17 where kind 16 belongs/);
});

function isRefusal(error: unknown): boolean {
  return error instanceof DecodeError || error instanceof CorruptError;
}
