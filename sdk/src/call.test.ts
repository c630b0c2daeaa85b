import assert from "node:assert/strict";
import { test } from "node:test";
import { backoffMs } from "./call.ts";
import { hintCache } from "./hint.ts";

test("the backoff doubles from 100 ms to 2 s, with full jitter, after the time the mesh asked for", () => {
  const most = [1, 2, 3, 4, 5, 6, 7].map((attempt) => backoffMs(attempt, 0, 1));
  assert.deepEqual(most, [100, 200, 400, 800, 1_600, 2_000, 2_000]);
  assert.equal(backoffMs(3, 0, 0), 0);
  assert.equal(backoffMs(1, 500, 0.5), 550);
});

test("the least recently used hint is forgotten at the bound", () => {
  const hints = hintCache(2);
  hints.set("a", "1");
  hints.set("b", "2");
  hints.set("b", "3");
  assert.equal(hints.get("a"), "1");
  hints.set("c", "4");
  assert.deepEqual([hints.get("a"), hints.get("b"), hints.get("c")], ["1", undefined, "4"]);
  hints.delete("a");
  assert.equal(hints.get("a"), undefined);
});
