import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import { UnsupportedFormatError } from "@voda/state";
import { DecodeError } from "@voda/stdx";
import * as fc from "fast-check";
import { decodeRecord, encodeRecord, type LaneRecord } from "./record.ts";

const sixteen = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Uint8Array.from(bytes));
const blob = fc.uint8Array({ maxLength: 300, size: "max" }).map((bytes) => Uint8Array.from(bytes));
const count = fc.maxSafeNat();
const plain = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record(model, { noNullPrototype: true });
const rid = plain({
  incarnation: sixteen.map((bytes) => Buffer.from(bytes).toString("hex")),
  counter: count,
});
const name = plain({
  namespace: fc.string({ unit: "grapheme" }),
  agent: fc.string(),
  key: fc.string({ unit: "grapheme" }),
});
const head = {
  rid,
  prev: rid,
  prevHash: fc.option(sixteen, { nil: undefined }),
  n: count,
  epoch: count,
  uid: sixteen,
  from: count,
  storeMs: count,
  born: fc.boolean(),
};
const named = { ...head, name: fc.option(name, { nil: undefined }) };
const pageName = plain({ epoch: count, index: count });
const hashes = { rawHash: sixteen, canonicalHash: fc.option(sixteen, { nil: undefined }) };
const kept = { ...hashes, n: count, answer: fc.option(blob, { nil: undefined }) };
const answers = fc.array(plain({ ...kept, id: sixteen, expiresAtMs: count, brief: fc.boolean() }), {
  maxLength: 5,
});
const numbered = fc.array(plain({ ...kept, seq: count }), { maxLength: 3 });
const clients = fc.array(plain({ client: sixteen, lowest: count, usedAtMs: count, answers: numbered }), {
  maxLength: 3,
});
const key = fc.oneof(
  plain({ ...hashes, type: fc.constant("key" as const), id: sixteen, keepMs: count }),
  plain({ ...hashes, type: fc.constant("numbered" as const), client: sixteen, seq: count, lowest: count }),
);
const turn = plain({ key: fc.option(key, { nil: undefined }), delta: blob, answer: blob }).map((one) =>
  one.key === undefined ? { ...one, answer: new Uint8Array(0) } : one,
);
const snapshot = fc.oneof(
  plain({ inline: fc.array(blob, { maxLength: 4 }), table: fc.constant([]) }),
  plain({
    inline: fc.constant(undefined),
    table: fc.array(plain({ name: pageName, hash: sixteen }), { maxLength: 4 }),
  }),
);
const letter = plain({
  n: count,
  atMs: count,
  agent: fc.string(),
  key: fc.string({ unit: "grapheme" }),
  method: fc.string(),
  body: blob,
});
const sent = { overBelow: count, next: count, letters: fc.array(letter, { maxLength: 3 }) };
const outbox = fc.option(plain(sent), { nil: undefined });
const buried = fc.array(count, { minLength: 1, maxLength: 3 });
const marks = (isGivenUp: boolean) =>
  fc.array(plain({ source: sixteen, n: count, usedAtMs: count, isGivenUp: fc.constant(isGivenUp) }), {
    maxLength: 3,
  });
const entry = plain({
  turnId: sixteen,
  canonicalHash: fc.option(sixteen, { nil: undefined }),
  name: fc.string(),
  expiresAtMs: count,
  drawn: plain({ seed: sixteen, times: fc.array(count, { maxLength: 3 }) }),
  result: blob,
});
const journal = fc.option(
  plain({ entries: fc.array(entry, { maxLength: 3 }), ended: fc.array(sixteen, { maxLength: 2 }) }),
  { nil: undefined },
);
const seen = fc.tuple(marks(false), marks(true)).map(([taken, givenUp]) => [...taken, ...givenUp]);
const repeat = fc.oneof(
  fc.constant(undefined),
  plain({ type: fc.constant("every" as const), ms: fc.integer({ min: 1 }) }),
  plain({ type: fc.constant("cron" as const), pattern: fc.string(), zone: fc.string() }),
);
const timer = plain({
  id: fc.string(),
  agent: fc.string(),
  key: fc.string(),
  method: fc.string(),
  body: fc.uint8Array({ maxLength: 20, size: "max" }),
  dueMs: count,
  repeat,
  n: count,
}).map((one) => ({ type: "set" as const, timer: one }));
const timers = fc.array(fc.oneof(timer, plain({ type: fc.constant("gone" as const), id: fc.string() })), {
  maxLength: 4,
});
/** Ascending from the first on. */
const trail = plain({
  count: fc.nat(),
  first: fc.nat(),
  more: fc.array(fc.nat(), { maxLength: 16, size: "max" }),
}).map(({ count: others, first, more }) => {
  let seq = first;
  return { count: others + 1, first, seqs: more.map((distance) => (seq += distance)) };
});
const fold = plain({
  ...named,
  type: fc.constant("fold" as const),
  covers: count,
  coversRid: rid,
  whole: fc.boolean(),
  released: fc.boolean(),
  answers,
  clients,
  trim: fc.option(plain({ covers: count, storeMs: count }), { nil: undefined }),
  retired: fc.array(plain({ seq: count, names: fc.array(pageName, { maxLength: 3 }) }), { maxLength: 3 }),
  snapshot,
  outbox,
  seen,
  timers,
  journal,
}).map(({ snapshot: pages, ...rest }) => ({ ...rest, ...pages }));
const claim = {
  type: fc.constant("turns" as const),
  turns: fc.constant([]),
  outbox: fc.constant(undefined),
  seen: fc.constant([]),
  timers: fc.constant([]),
  journal: fc.constant(undefined),
};
const record: fc.Arbitrary<LaneRecord> = fc.oneof(
  plain({
    ...named,
    type: fc.constant("turns" as const),
    turns: fc.array(turn, { maxLength: 6 }),
    outbox: fc.oneof(outbox, plain({ ...sent, buried })),
    seen,
    timers,
    journal,
  }),
  plain({ ...named, ...claim, trail }),
  fold,
  plain({ ...named, type: fc.constant("gone" as const), answers, clients, seen }),
);

test("every record is read back as it was written", () => {
  fc.assert(
    fc.property(record, (one) => assert.deepEqual(decodeRecord(encodeRecord(one, crc32), crc32), one)),
  );
});

test("bytes are decoded or refused as damaged or as of a later version, never anything else", () => {
  fc.assert(
    fc.property(record, fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 8 }), (one, place, noise) => {
      const bytes = encodeRecord(one, crc32);
      bytes.set(noise, Math.min(16 + (place % bytes.length), bytes.length - noise.length));
      bytes.fill(0, 12, 16);
      new DataView(bytes.buffer).setUint32(12, crc32(bytes), true);
      try {
        decodeRecord(bytes, crc32);
      } catch (error) {
        assert.ok(error instanceof DecodeError || error instanceof UnsupportedFormatError, String(error));
      }
    }),
  );
});
