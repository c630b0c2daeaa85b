import assert from "node:assert/strict";
import { test } from "node:test";
import { answerBytesMax, idsMax } from "./constants.ts";
import { answersAt, createDedupe, type Dedupe, findAnswer, hasRoom, idText, storeAnswer } from "./dedupe.ts";

function idOf(number: number): Uint8Array {
  const id = new Uint8Array(16);
  new DataView(id.buffer).setUint32(0, number);
  return id;
}

const bodyHash = idOf(0);
const BRIEF_MS = 60_000;
const KEPT_MS = 600_000;

function store(table: Dedupe, number: number, keepMs: number, bytes = 10, wallMs = 0): void {
  storeAnswer(table, { id: idOf(number), bodyHash, keepMs }, { n: number, wallMs }, new Uint8Array(bytes));
}

const find = (table: Dedupe, number: number, wallMs = 0) => findAnswer(table, idText(idOf(number)), wallMs);

test("brief ids give way, oldest first, when the table is full; explicit ones stay", () => {
  const table = createDedupe();
  store(table, 1, KEPT_MS);
  for (let number = 2; number <= idsMax + 3; number += 1) store(table, number, BRIEF_MS);
  assert.notEqual(find(table, 1), undefined);
  assert.deepEqual(
    [2, 3, 4, 5].map((number) => find(table, number) !== undefined),
    [false, false, false, true],
  );
  assert.equal(table.kept.size + table.brief.size, idsMax);
});

test("what is kept of the order stays bounded while ids come and expire", () => {
  const table = createDedupe();
  for (let number = 1; number <= 5 * idsMax; number += 1) {
    store(table, number, BRIEF_MS, 1, number * 100);
    if (number % 500 === 0) answersAt(table, number * 100);
  }
  assert.ok(table.order.length <= 2 * idsMax, `${table.order.length} places`);
  assert.ok(table.brief.size <= BRIEF_MS / 100 + 500, `${table.brief.size} ids`);
});

test("an id that is stored again is as young as its last time", () => {
  const table = createDedupe();
  store(table, 1, BRIEF_MS);
  storeAnswer(table, { id: idOf(1), bodyHash, keepMs: BRIEF_MS }, { n: 2, wallMs: 0 }, new Uint8Array(1));
  for (let number = 3; number <= idsMax + 2; number += 1) store(table, number, BRIEF_MS);
  assert.equal(find(table, 1), undefined);
  assert.equal(table.brief.size, idsMax);
});

test("an answer is found until its time is over", () => {
  const table = createDedupe();
  store(table, 1, KEPT_MS);
  assert.notEqual(find(table, 1, KEPT_MS - 1), undefined);
  assert.equal(find(table, 1, KEPT_MS), undefined);
  assert.equal(table.kept.size, 0);
});

test("there is room for a new explicit id until idsMax are kept or on their way", () => {
  const table = createDedupe();
  for (let number = 1; number < idsMax; number += 1) store(table, number, KEPT_MS, 1);
  assert.equal(hasRoom(table, 0, 0), true);
  assert.equal(hasRoom(table, 1, 0), false);
  assert.equal(hasRoom(table, 1, KEPT_MS), true);
});

test("the first bodies go when answers take more than their bound, and the bytes add up", () => {
  const table = createDedupe();
  for (let number = 1; number <= 5; number += 1) store(table, number, KEPT_MS, answerBytesMax / 4);
  const answers = answersAt(table, 0);
  assert.deepEqual(
    answers.map(({ answer }) => answer !== undefined),
    [false, true, true, true, true],
  );
  assert.equal(table.answerBytes, answerBytesMax);
});

test("what a fold carries on is in the order of the lane, without what is over", () => {
  const table = createDedupe();
  store(table, 2, KEPT_MS);
  store(table, 1, BRIEF_MS);
  store(table, 3, BRIEF_MS, 1, 1000);
  assert.deepEqual(
    answersAt(table, 500).map(({ n }) => n),
    [1, 2, 3],
  );
  assert.deepEqual(
    answersAt(table, BRIEF_MS).map(({ n }) => n),
    [2, 3],
  );
});
