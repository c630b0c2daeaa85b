import assert from "node:assert/strict";
import { test } from "node:test";
import { callNumbersMax } from "@voda/proto/wire";
import { clientKeepMs, entryBytes, idsMax, storedBytesMax } from "./constants.ts";
import {
  createDedupe,
  type Dedupe,
  findAnswer,
  rememberedAt,
  restoreAnswers,
  roomFor,
  storeAnswer,
} from "./dedupe.ts";

/** Out of a pool: these tests fill tables, and a buffer for each id takes longer than the table. */
function idOf(number: number): Uint8Array {
  const id = Buffer.allocUnsafe(16).fill(0);
  id.writeUInt32BE(number);
  return id;
}

const rawHash = idOf(0);
const briefMs = 60_000;
const keptMs = 600_000;
const tenBytes = new Uint8Array(10);

function store(table: Dedupe, number: number, keepMs: number, body = tenBytes, storeMs = 0): void {
  const key = { type: "key" as const, id: idOf(number), rawHash, canonicalHash: undefined, keepMs };
  storeAnswer(table, key, { n: number, storeMs }, body);
}

const keyed = (number: number, keepMs = keptMs) => ({
  type: "key" as const,
  id: idOf(number),
  rawHash,
  keepMs,
});
const find = (table: Dedupe, number: number, storeMs = 0) => findAnswer(table, keyed(number), storeMs);

const numbered = (client: number, seq: number, lowest = 0) => ({
  type: "numbered" as const,
  client: idOf(client),
  seq,
  lowest,
  rawHash,
});

function answer(table: Dedupe, id: ReturnType<typeof numbered>, storeMs = 0): void {
  storeAnswer(table, { ...id, canonicalHash: undefined }, { n: id.seq, storeMs }, tenBytes);
}

test("brief ids give way, oldest first, when the table is full; explicit ones stay", () => {
  const table = createDedupe();
  store(table, 1, keptMs);
  for (let number = 2; number <= idsMax + 3; number += 1) store(table, number, briefMs);
  assert.notEqual(find(table, 1), undefined);
  assert.deepEqual(
    [2, 3, 4, 5].map((number) => find(table, number) !== undefined),
    [false, false, false, true],
  );
  assert.equal(table.kept.size + table.brief.size, idsMax);
});

test("where explicit ids alone are more than the table has room for, brief ones give way at once", () => {
  const table = createDedupe();
  for (let number = 1; number <= idsMax + 1; number += 1) store(table, number, keptMs);
  for (let number = idsMax + 2; number <= idsMax + 4; number += 1) store(table, number, briefMs);
  assert.deepEqual([table.kept.size, table.brief.size], [idsMax + 1, 0]);
  assert.equal(table.bytes, (idsMax + 1) * entryBytes, "every body has gone, and that is not enough");
});

test("what is kept of the order stays bounded while ids come and expire", () => {
  const table = createDedupe();
  for (let number = 1; number <= 2 * idsMax + 1; number += 1) {
    store(table, number, briefMs, tenBytes, number * 100);
    if (number % 500 === 0) rememberedAt(table, number * 100);
  }
  const idsAtOnceMax = briefMs / 100 + 500;
  assert.ok(table.order.length <= idsAtOnceMax, `${table.order.length} places`);
  assert.ok(table.brief.size <= idsAtOnceMax, `${table.brief.size} ids`);
});

test("an id that is stored again is as young as its last time", () => {
  const table = createDedupe();
  store(table, 1, briefMs);
  store(table, 2, briefMs);
  const key = { ...keyed(1, briefMs), canonicalHash: undefined };
  storeAnswer(table, key, { n: 3, storeMs: 0 }, new Uint8Array(1));
  for (let number = 4; number <= idsMax + 2; number += 1) store(table, number, briefMs);
  assert.deepEqual([find(table, 1) !== undefined, find(table, 2)], [true, undefined]);
  store(table, idsMax + 3, briefMs);
  store(table, idsMax + 4, briefMs);
  assert.equal(find(table, 1), undefined);
  assert.equal(table.brief.size, idsMax);
});

test("an answer that a fold and the record after it both bring takes its room once", () => {
  const table = createDedupe();
  for (let time = 0; time < 2; time += 1) {
    store(table, 1, keptMs);
    answer(table, numbered(1, 7));
  }
  assert.equal(table.bytes, 3 * entryBytes + 20, "two answers and a client");
  assert.deepEqual([table.kept.size, table.numbered], [1, 1]);
});

test("an answer is found until its time is over", () => {
  const table = createDedupe();
  store(table, 1, keptMs);
  assert.notEqual(find(table, 1, keptMs - 1), undefined);
  assert.equal(find(table, 1, keptMs), undefined);
  assert.equal(table.kept.size, 0);
});

test("there is room for a new explicit id until idsMax are kept or on their way; then it is told when", () => {
  const table = createDedupe();
  for (let number = 1; number < idsMax; number += 1) store(table, number, keptMs);
  assert.equal(roomFor(table, keyed(0), 0, 0), "room");
  assert.equal(roomFor(table, keyed(0), 1, 1000), keptMs - 1000);
  assert.equal(roomFor(table, keyed(0, briefMs), 1, 1000), "room", "brief ones give way");
  assert.equal(roomFor(table, keyed(0), 1, keptMs), "room");
});

test("the first bodies go when answers take more than their bound, and the bytes add up", () => {
  const table = createDedupe();
  for (let number = 1; number <= 5; number += 1)
    store(table, number, keptMs, new Uint8Array(storedBytesMax / 4 - 2 * entryBytes));
  const { answers } = rememberedAt(table, 0);
  assert.deepEqual(
    answers.map(({ answer: body }) => body !== undefined),
    [false, true, true, true, true],
  );
  assert.equal(table.bytes, storedBytesMax - 3 * entryBytes);
});

test("that bodies must go costs a store no more when many have gone", () => {
  const table = createDedupe();
  const large = new Uint8Array(100);
  /** Of four thousand from this one on, the fastest thousand: a busy machine holds up some. */
  const thousandMs = (first: number): number => {
    const took = [0, 1_000, 2_000, 3_000].map((after) => {
      const startedMs = performance.now();
      for (let i = 0; i < 1_000; i += 1) store(table, first + after + i, keptMs, large);
      return performance.now() - startedMs;
    });
    return Math.min(...took);
  };
  const noneGoneMs = thousandMs(1);
  for (let number = 4_001; number <= 40_000; number += 1) store(table, number, keptMs, large);
  const manyGoneMs = thousandMs(40_001);
  // When each looked at 40,000 entries they took 2 s.
  assert.ok(manyGoneMs < 50 * noneGoneMs, `1,000 answers in ${manyGoneMs} ms, at first in ${noneGoneMs}`);
  assert.ok(table.bytes <= storedBytesMax);
});

test("half as many clients as ids have an answer each, which takes two places; then it is told when the first is forgotten", () => {
  const table = createDedupe();
  for (let client = 1; client <= idsMax / 2; client += 1) {
    assert.equal(roomFor(table, numbered(client, 1), 0, client), "room");
    answer(table, numbered(client, 1), client);
  }
  assert.equal(roomFor(table, numbered(0, 1), 0, 1000), clientKeepMs + 1 - 1000);
  assert.equal(roomFor(table, numbered(0, 1), 0, clientKeepMs + 1), "room");
  assert.equal(table.clients.has(String.fromCharCode(...idOf(1))), false);
});

test("of a client's numbers those that it still waits for are kept, and the table never fills", () => {
  const table = createDedupe();
  const last = idsMax + 1;
  for (let seq = 1; seq <= last; seq += 1) {
    assert.equal(roomFor(table, numbered(1, seq, seq), 0, seq), "room");
    answer(table, numbered(1, seq, seq), seq);
  }
  assert.deepEqual([table.numbered, table.bytes], [1, 2 * entryBytes + 10]);
  assert.equal(findAnswer(table, numbered(1, last), last)?.type, "answer");
  assert.deepEqual(findAnswer(table, numbered(1, 5), last), { type: "past" });
  assert.equal(findAnswer(table, numbered(1, last + 1), last), undefined);
  assert.equal(findAnswer(table, numbered(2, 5), last), undefined);
});

test("a client has at most callNumbersMax numbers above its lowest, and is forgotten some time after its last call", () => {
  const table = createDedupe();
  answer(table, numbered(1, 5, 5), 1000);
  assert.equal(roomFor(table, numbered(1, 5 + callNumbersMax - 1), 0, 1000), "room");
  assert.notEqual(roomFor(table, numbered(1, 5 + callNumbersMax), 0, 1000), "room");
  assert.equal(findAnswer(table, numbered(1, 5), 999 + clientKeepMs)?.type, "answer");
  assert.equal(findAnswer(table, numbered(1, 5), 1000 + clientKeepMs), undefined);
  assert.deepEqual(rememberedAt(table, 1000 + clientKeepMs).clients, []);
  assert.equal(table.bytes, 0);
});

test("what a fold carries on gives the same table", () => {
  const table = createDedupe();
  store(table, 1, keptMs);
  store(table, 2, briefMs);
  answer(table, numbered(1, 5, 4), 10);
  answer(table, numbered(2, 7, 7), 20);
  answer(table, numbered(1, 4, 4), 30);
  const restored = createDedupe();
  const { answers, ...rest } = rememberedAt(table, 50);
  const [first, ...others] = answers;
  assert.ok(first !== undefined);
  restoreAnswers(restored, { ...rest, answers: [{ ...first, answer: undefined }, ...others] });
  assert.equal(restored.bytes, table.bytes - 10, "an entry without its body takes its own room only");
  restoreAnswers(restored, { ...rest, answers });
  assert.deepEqual(rememberedAt(restored, 50), rememberedAt(table, 50));
  assert.deepEqual([restored.bytes, restored.numbered], [table.bytes, 3]);
});

test("what a fold carries on is in the order of the lane, without what is over", () => {
  const table = createDedupe();
  store(table, 2, keptMs);
  store(table, 1, briefMs);
  store(table, 3, briefMs, tenBytes, 1000);
  assert.deepEqual(
    rememberedAt(table, 500).answers.map(({ n }) => n),
    [1, 2, 3],
  );
  assert.deepEqual(
    rememberedAt(table, briefMs).answers.map(({ n }) => n),
    [2, 3],
  );
});

test("numbered answers take places from brief ids too", () => {
  const table = createDedupe();
  for (let number = 1; number < idsMax - 1; number += 1) store(table, number, briefMs);
  answer(table, numbered(1, 0));
  assert.notEqual(find(table, 1), undefined);
  answer(table, numbered(1, 1));
  assert.deepEqual([find(table, 1), find(table, 2) === undefined], [undefined, false]);
});

test("after the order was compacted, the oldest goes first still", () => {
  const table = createDedupe();
  const count = 2 * idsMax + 2;
  for (let number = 1; number <= count; number += 1) store(table, number, briefMs);
  const oldest = count - idsMax + 1;
  assert.deepEqual(
    [oldest - 1, oldest].map((number) => find(table, number) !== undefined),
    [false, true],
  );
});

test("answers that take just their bound all keep their bodies", () => {
  const table = createDedupe();
  for (const number of [1, 2]) store(table, number, keptMs, new Uint8Array(storedBytesMax / 2 - entryBytes));
  const { answers } = rememberedAt(table, 0);
  assert.deepEqual(
    answers.map(({ answer: body }) => body !== undefined),
    [true, true],
  );
});

test("a client that called a moment ago is not forgotten with what is over", () => {
  const table = createDedupe();
  store(table, 1, briefMs);
  answer(table, numbered(1, 0));
  const { answers, clients } = rememberedAt(table, briefMs + 1);
  assert.deepEqual([answers.length, clients.length], [0, 1]);
  assert.equal(findAnswer(table, numbered(1, 0), briefMs + 1)?.type, "answer");
});
