import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import { writerOf } from "@voda/proto/wire";
import { UnsupportedFormatError } from "@voda/state";
import { DecodeError } from "@voda/stdx";
import { decodeRecord, encodeRecord, type LaneRecord } from "./record.ts";
import type { TimerChange } from "./timers.ts";
import { noRecord } from "./words.ts";

const bytes = (length: number, first: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (first + i) & 255);
const rid = (counter: number) => ({ incarnation: "00112233445566778899aabbccddeeff", counter });
const name = { namespace: "default", agent: "counter", key: "ключ" };
const head = {
  rid: rid(300),
  prev: rid(299),
  prevHash: bytes(16, 200),
  n: 70_000,
  epoch: 3,
  uid: bytes(16, 1),
  from: 2 ** 40,
  storeMs: 1_790_000_000_000,
};
const hashes = { rawHash: bytes(16, 60), canonicalHash: bytes(16, 61) };
const stored = { id: bytes(16, 30), ...hashes, n: 9, expiresAtMs: 1_790_000_600_000 };
const client = { client: bytes(16, 100), lowest: 7, usedAtMs: 1_790_000_000_000 };

const plainFold: LaneRecord = {
  ...head,
  type: "fold",
  born: false,
  name,
  covers: 41,
  coversRid: rid(298),
  whole: true,
  released: true,
  inline: [],
  table: [],
  answers: [],
  clients: [],
  trim: undefined,
  retired: [],
  outbox: undefined,
  seen: [],
  timers: [],
  journal: undefined,
};

const records: Record<string, LaneRecord> = {
  turns: {
    ...head,
    type: "turns",
    born: false,
    name: undefined,
    turns: [
      {
        key: { type: "key", id: bytes(16, 30), ...hashes, keepMs: 600_000 },
        delta: bytes(5, 1),
        answer: bytes(3, 9),
      },
      { key: undefined, delta: bytes(200, 7), answer: new Uint8Array(0) },
      {
        key: {
          type: "numbered",
          client: bytes(16, 100),
          seq: 9,
          lowest: 7,
          ...hashes,
          canonicalHash: undefined,
        },
        delta: bytes(1, 7),
        answer: bytes(2, 3),
      },
    ],
    outbox: undefined,
    seen: [],
    timers: [],
    journal: undefined,
  },
  claim: {
    ...head,
    type: "turns",
    prev: noRecord,
    prevHash: new Uint8Array(16),
    n: 1,
    epoch: 1,
    born: true,
    name,
    turns: [],
    outbox: undefined,
    seen: [],
    timers: [],
    journal: undefined,
  },
  inline: {
    ...head,
    type: "fold",
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
    clients: [
      {
        ...client,
        answers: [
          { seq: 7, ...hashes, n: 9, answer: bytes(4, 4) },
          { seq: 8, ...hashes, canonicalHash: undefined, n: 9, answer: undefined },
        ],
      },
    ],
    trim: undefined,
    retired: [],
    outbox: undefined,
    seen: [],
    timers: [],
    journal: undefined,
  },
  paged: {
    ...head,
    type: "fold",
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
    clients: [],
    trim: { covers: 12, storeMs: 1_790_000_000_000 },
    retired: [{ seq: 30, names: [{ epoch: 1, index: 5 }] }],
    outbox: undefined,
    seen: [],
    timers: [],
    journal: undefined,
  },
  gone: {
    ...head,
    type: "gone",
    born: false,
    name: undefined,
    answers: [{ ...stored, brief: true, answer: bytes(4, 4) }],
    clients: [],
    seen: [],
  },
};

const outbox = {
  overBelow: 3,
  next: 300,
  letters: [
    { n: 3, atMs: 1_790_000_000_000, agent: "sink", key: "ключ", method: "take", body: bytes(4, 9) },
    { n: 299, atMs: 1_790_000_000_001, agent: "sink", key: "k", method: "tick", body: bytes(0, 0) },
  ],
};
const later = { agent: "sink", key: "k", method: "take", body: bytes(3, 4) };
const repeat = { type: "cron", pattern: "0 9 * * 1-5", zone: "Europe/Berlin" } as const;
const daily = { ...later, id: "daily", dueMs: 1_790_000_000_002, repeat, n: 7 };
const timers: readonly TimerChange[] = [
  { type: "set", timer: { ...later, id: "one", dueMs: 1_790_000_000_000, repeat: undefined, n: 0 } },
  {
    type: "set",
    timer: {
      ...later,
      id: "many",
      dueMs: 1_790_000_000_001,
      repeat: { type: "every", ms: 60_000 },
      n: 70_000,
    },
  },
  { type: "gone", id: "none" },
];
const seen = [{ source: bytes(16, 70), n: 70_000, usedAtMs: 1_790_000_000_000, isGivenUp: false }];
const givenUp = [{ source: bytes(16, 90), n: 5, usedAtMs: 1_790_000_000_001, isGivenUp: true }];

const entry = {
  turnId: bytes(16, 110),
  canonicalHash: bytes(16, 61),
  name: "плата",
  expiresAtMs: 1_790_000_600_000,
  drawn: { seed: bytes(16, 120), times: [1_790_000_000_000, 1_790_000_000_007] },
  result: bytes(9, 40),
};
const journal = {
  entries: [entry, { ...entry, canonicalHash: undefined, name: "b", result: new Uint8Array(0) }],
  ended: [bytes(16, 130)],
};

const begun = {
  type: "begun",
  mark: {
    source: bytes(16, 70),
    n: 70_000,
    ends: 2,
    closes: 0,
    incarnation: "c".repeat(32),
    atMs: 1_790_000_000_000,
  },
} as const;

/** What format 1 has no room for. */
const laterRecords: Record<string, LaneRecord> = {
  sending: {
    ...head,
    type: "turns",
    born: false,
    name: undefined,
    turns: [],
    outbox,
    seen,
    timers: [],
    journal: undefined,
  },
  burying: {
    ...head,
    type: "turns",
    born: false,
    name: undefined,
    turns: [],
    outbox: { overBelow: 3, next: 300, letters: [], buried: [299, 2 ** 45] },
    seen: [],
    timers: [],
    journal: undefined,
  },
  givingUp: { ...plainFold, seen: [...seen, ...givenUp] },
  carrying: { ...plainFold, outbox, seen },
  scheduling: {
    ...head,
    type: "turns",
    born: false,
    name: undefined,
    turns: [],
    outbox: undefined,
    seen: [],
    timers,
    journal: undefined,
  },
  waiting: { ...plainFold, timers: timers.slice(0, 2) },
  daily: { ...plainFold, timers: [{ type: "set", timer: daily }] },
  remembering: { ...head, type: "gone", born: false, name: undefined, answers: [], clients: [], seen },
  doing: {
    ...head,
    type: "turns",
    born: false,
    name: undefined,
    turns: [],
    outbox: undefined,
    seen: [],
    timers: [],
    journal,
  },
  suspecting: {
    ...head,
    type: "turns",
    born: false,
    name: undefined,
    turns: [],
    outbox: undefined,
    seen: [],
    timers: [],
    journal: undefined,
    suspects: [begun, { type: "ended", source: bytes(16, 90) }],
  },
  trailing: {
    ...head,
    type: "turns",
    born: false,
    name: undefined,
    turns: [],
    outbox: undefined,
    seen: [],
    timers: [],
    journal: undefined,
    trail: { count: 300, first: 2 ** 40, seqs: [2 ** 40 + 7, 2 ** 40 + 200, 2 ** 40 + 60_200] },
  },
  suspected: { ...plainFold, suspects: [begun] },
  closing: { ...plainFold, suspects: [{ ...begun, mark: { ...begun.mark, closes: 16 } }] },
  recalling: { ...plainFold, journal: { ...journal, ended: [] } },
};

const golden = (kind: string, format = 2): Uint8Array =>
  Uint8Array.from(
    Buffer.from(
      readFileSync(new URL(`golden/format-${format}/${kind}.hex`, import.meta.url), "utf8").trim(),
      "hex",
    ),
  );

/**
 * What a record of format 1 says of the same: it has no hash of its predecessor, one hash of a call, and no
 * numbered calls.
 */
function inFormat1(record: LaneRecord): LaneRecord {
  const plain = { ...record, prevHash: undefined };
  if (plain.type === "turns")
    return {
      ...plain,
      turns: plain.turns
        .filter(({ key }) => key?.type !== "numbered")
        .map((turn) => ({ ...turn, key: turn.key && { ...turn.key, canonicalHash: undefined } })),
    };
  return {
    ...plain,
    answers: plain.answers.map((answer) => ({ ...answer, canonicalHash: undefined })),
    clients: [],
  };
}

for (const [kind, record] of Object.entries(records))
  test(`a record (${kind}) of format 1 is read`, () => {
    assert.deepEqual(decodeRecord(golden(kind, 1), crc32), inFormat1(record));
  });

for (const [kind, record] of Object.entries({ ...records, ...laterRecords })) {
  test(`a record (${kind}) is written as the golden file says, and read back`, () => {
    const encoded = encodeRecord(record, crc32);
    assert.equal(Buffer.from(encoded).toString("hex"), Buffer.from(golden(kind)).toString("hex"));
    assert.deepEqual(decodeRecord(golden(kind), crc32), record);
  });

  test(`a record (${kind}) tells its writer to who cannot read it`, () => {
    assert.equal(writerOf(golden(kind)), record.rid.incarnation);
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

/** The bytes with something else at one place, and the checksum that belongs to them. */
function changed(whole: Uint8Array, at: number, value: number): Uint8Array {
  const copy = whole.slice();
  copy[at] = value;
  copy.fill(0, 12, 16);
  new DataView(copy.buffer).setUint32(12, crc32(copy), true);
  return copy;
}

test("a kind that this version does not know is refused", () => {
  assert.throws(() => decodeRecord(changed(golden("claim"), 5, 17), crc32), /kind 17/);
});

test("a later version, and a critical part that this one does not know, are unsupported, never corrupt", () => {
  assert.throws(() => decodeRecord(changed(golden("claim"), 4, 3), crc32), UnsupportedFormatError);
  const part = Uint8Array.of(2 * 60 + 1, 1, 9);
  const more = Uint8Array.from([...golden("claim"), ...part]);
  assert.throws(() => decodeRecord(changed(more, 0, 0x76), crc32), UnsupportedFormatError);
  const skipped = Uint8Array.from([...golden("claim"), 2 * 60, 1, 9]);
  assert.deepEqual(decodeRecord(changed(skipped, 0, 0x76), crc32), records["claim"]);
});

test("a fold without a snapshot, and one of format 1 with timers, are refused", () => {
  const headOnly = changed(golden("claim"), 5, golden("inline")[5] ?? 0);
  assert.throws(() => decodeRecord(headOnly, crc32), /fold without a snapshot/);
  const old = golden("inline", 1);
  assert.throws(() => decodeRecord(changed(old, old.length - 1, 1), crc32), /with 1 timers/);
});

test("a letter of which more is said than this version knows is refused", () => {
  const sent = golden("sending");
  const at = Buffer.from(sent).indexOf(Uint8Array.of(0, 3, 0x80, 0xd8, 0xc1, 0xa2, 0x8c, 0x34));
  assert.ok(at > 0);
  assert.throws(() => decodeRecord(changed(sent, at, 1), crc32), /letter with unknown flags 0x1/);
});

test("a suspect that has ended, of which more is said, is refused", () => {
  const record = golden("suspecting");
  const at = Buffer.from(record).indexOf(Uint8Array.of(0, ...bytes(16, 90)));
  assert.ok(at > 0);
  assert.throws(() => decodeRecord(changed(record, at, 2), crc32), /suspect that has ended, with flags 0x2/);
});

test("a turn of format 1 of which more is said than its key is refused", () => {
  const turns = golden("turns", 1);
  const at = Buffer.from(turns).indexOf(Uint8Array.of(1, ...bytes(16, 30)));
  assert.ok(at > 0);
  assert.throws(() => decodeRecord(changed(turns, at, 2), crc32), DecodeError);
});

test("a turn without a key that changed nothing is read as it was written", () => {
  const none = new Uint8Array(0);
  const record = {
    ...records["claim"],
    turns: [{ key: undefined, delta: none, answer: none }],
  } as LaneRecord;
  assert.deepEqual(decodeRecord(encodeRecord(record, crc32), crc32), record);
});
