import assert from "node:assert/strict";
import { test } from "node:test";
import { sixteen } from "../../test/lane-rig.ts";
import { createBodies, noteBody, takeBody } from "./dedupe-bodies.ts";
import type { StoredAnswer } from "./record-answers.ts";

/** An answer of `n` bytes. */
const answerOf = (n: number): StoredAnswer => ({
  id: sixteen(0),
  rawHash: sixteen(0),
  canonicalHash: undefined,
  n,
  expiresAtMs: 0,
  brief: false,
  answer: new Uint8Array(n),
});

test("bodies go in the order in which they came, also after places were compacted", () => {
  const bodies = createBodies();
  const entries = new Map<string | number, StoredAnswer>();
  const add = (n: number): void => {
    entries.set(n, answerOf(n));
    noteBody(bodies, entries, n, answerOf(n));
  };
  for (let n = 1; n <= 1_000; n += 1) add(n);
  assert.deepEqual([takeBody(bodies), takeBody(bodies)], [1, 2]);
  for (let n = 1_001; n <= 1_030; n += 1) add(n);
  assert.deepEqual([takeBody(bodies), takeBody(bodies)], [3, 4]);
  entries.delete(5);
  assert.equal(takeBody(bodies), 6);
  for (let n = 7; n <= 1_030; n += 1) assert.equal(takeBody(bodies), n);
  assert.equal(takeBody(bodies), undefined);
});
