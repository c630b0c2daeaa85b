import assert from "node:assert/strict";
import { test } from "node:test";
import { BegunWriter, begunMax, createBegunTable, readBegun } from "./begun.ts";

test("calls between their beginning and their end have begun, others not", () => {
  const table = createBegunTable();
  const writer = new BegunWriter(table);
  const first = writer.begin(2 ** 40);
  writer.begin(7);
  writer.end(first);
  const begun = readBegun(table);
  assert.deepEqual(
    [begun.has(2 ** 40), begun.has(7), begun.has(8), begun.has(0)],
    [false, true, false, false],
  );
});

test("the call whose handler has not come back to its event loop is known", () => {
  const table = createBegunTable();
  const writer = new BegunWriter(table);
  writer.begin(7);
  assert.equal(readBegun(table).holder, 7);
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
  const marks = Array.from({ length: begunMax + 1 }, (_, i) => writer.begin(100 + i));
  assert.ok(readBegun(table).has(8));
  for (const mark of marks) writer.end(mark);
  assert.ok(!readBegun(table).has(8) && !readBegun(table).has(100));
});
