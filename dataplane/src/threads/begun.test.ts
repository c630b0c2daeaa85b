import assert from "node:assert/strict";
import { test } from "node:test";
import {
  BegunWriter,
  begunMax,
  createBegunTable,
  readBegun,
  spoiledBegun,
  synchronousCall,
} from "./begun.ts";

test("calls between their beginning and their end have begun, others not", () => {
  const table = createBegunTable();
  const writer = new BegunWriter(table);
  const first = writer.begin(2 ** 40);
  writer.begin(7);
  writer.end(first);
  const begun = readBegun(table);
  assert.deepEqual(
    [begun.has(2 ** 40), begun.has(7), begun.has(8), begun.has(0), begun.has(1)],
    [false, true, false, false, false],
  );
});

test("the call whose handler has not come back to its event loop is known", () => {
  const table = createBegunTable();
  const writer = new BegunWriter(table);
  writer.begin(7);
  assert.deepEqual([readBegun(table).holder, synchronousCall(table)], [7, 7]);
  writer.synchronous(0);
  assert.equal(readBegun(table).holder, undefined);
});

test("while outcomes wait in the thread's own memory, or too many run, every call counts as begun", () => {
  const table = createBegunTable();
  const writer = new BegunWriter(table);
  writer.behind(true);
  assert.ok(readBegun(table).has(8));
  writer.behind(false);
  assert.ok(!readBegun(table).has(8));
  const marks = Array.from({ length: begunMax }, (_, i) => writer.begin(100 + i));
  const full = readBegun(table);
  assert.deepEqual([full.has(100), full.has(100 + begunMax - 1), full.has(8)], [true, true, false]);
  const [over, more] = [writer.begin(8), writer.begin(9)];
  writer.end(over);
  assert.ok(readBegun(table).has(10), "one is still not marked");
  for (const mark of [more, ...marks]) writer.end(mark);
  assert.ok(!readBegun(table).has(8) && !readBegun(table).has(100));
});

test("of a thread that spoiled what it says every call has begun, and the last one may be to blame", () => {
  const table = createBegunTable();
  assert.equal(spoiledBegun(table).last, undefined);
  const writer = new BegunWriter(table);
  writer.begin(7);
  const last = writer.begin(8);
  writer.synchronous(0);
  writer.end(last);
  const begun = spoiledBegun(table);
  writer.begin(9);
  assert.deepEqual([begun.has(7), begun.has(10), begun.holder, begun.last], [true, true, undefined, 8]);
});
