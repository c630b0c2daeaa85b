import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import { DecodeError } from "@voda/stdx";
import { decodeRecord, encodeRecord, type LaneRecord, noRecord } from "./record.ts";

const bytes = (length: number, first: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (first + i) & 255);
const rid = (counter: number) => ({ incarnation: "00112233445566778899aabbccddeeff", counter });
const name = { namespace: "default", agent: "counter", key: "ключ" };
const head = {
  rid: rid(300),
  prev: rid(299),
  n: 70_000,
  epoch: 3,
  uid: bytes(16, 1),
  from: 2 ** 40,
  wallMs: 1_790_000_000_000,
};
const stored = { id: bytes(16, 30), bodyHash: bytes(16, 60), n: 9, expiresAtMs: 1_790_000_600_000 };

const records: Record<string, LaneRecord> = {
  turns: {
    ...head,
    kind: "turns",
    born: false,
    name: undefined,
    turns: [
      {
        key: { id: bytes(16, 30), bodyHash: bytes(16, 60), keepMs: 600_000 },
        delta: bytes(5, 1),
        answer: bytes(3, 9),
      },
      { key: undefined, delta: bytes(200, 7), answer: new Uint8Array(0) },
    ],
  },
  claim: { ...head, kind: "turns", prev: noRecord, n: 1, epoch: 1, born: true, name, turns: [] },
  inline: {
    ...head,
    kind: "fold",
    born: false,
    name,
    covers: 41,
    coversRid: rid(298),
    whole: true,
    released: true,
    inline: [bytes(10, 1), bytes(0, 1)],
    table: [],
    answers: [
      { ...stored, brief: false, answer: bytes(4, 4) },
      { ...stored, brief: true, answer: undefined },
    ],
    trim: undefined,
    retired: [],
  },
  paged: {
    ...head,
    kind: "fold",
    born: false,
    name,
    covers: 41,
    coversRid: rid(298),
    whole: false,
    released: false,
    inline: undefined,
    table: [
      { name: { epoch: 2, index: 300 }, hash: bytes(16, 90) },
      { name: { epoch: 3, index: 0 }, hash: bytes(16, 91) },
    ],
    answers: [],
    trim: { covers: 12, wallMs: 1_790_000_000_000 },
    retired: [{ seq: 30, names: [{ epoch: 1, index: 5 }] }],
  },
  gone: {
    ...head,
    kind: "gone",
    born: false,
    name: undefined,
    answers: [{ ...stored, brief: true, answer: bytes(4, 4) }],
  },
};

const golden = (kind: string): Uint8Array =>
  Uint8Array.from(
    Buffer.from(readFileSync(new URL(`golden/${kind}.hex`, import.meta.url), "utf8").trim(), "hex"),
  );

for (const [kind, record] of Object.entries(records)) {
  test(`a record (${kind}) is written as the golden file says, and read back`, () => {
    const encoded = encodeRecord(record, crc32);
    assert.equal(Buffer.from(encoded).toString("hex"), Buffer.from(golden(kind)).toString("hex"));
    assert.deepEqual(decodeRecord(golden(kind), crc32), record);
  });

  test(`a record (${kind}) with any bit turned is refused`, () => {
    const encoded = golden(kind);
    for (let at = 0; at < encoded.length; at += 1) {
      const torn = encoded.slice();
      torn[at] = (torn[at] ?? 0) ^ (1 << (at % 8));
      assert.throws(() => decodeRecord(torn, crc32), DecodeError, `byte ${at}`);
    }
  });

  test(`a record (${kind}) that is cut short or goes on too long is refused`, () => {
    const encoded = golden(kind);
    for (let length = 0; length < encoded.length; length += 1) {
      assert.throws(() => decodeRecord(encoded.subarray(0, length), crc32), DecodeError, `${length} bytes`);
    }
    assert.throws(() => decodeRecord(Buffer.concat([encoded, bytes(1, 0)]), crc32), DecodeError);
  });
}

test("a kind that this version does not know is refused", () => {
  const encoded = golden("claim");
  encoded[5] = 17;
  encoded.fill(0, 12, 16);
  new DataView(encoded.buffer).setUint32(12, crc32(encoded), true);
  assert.throws(() => decodeRecord(encoded, crc32), /kind 17/);
});
