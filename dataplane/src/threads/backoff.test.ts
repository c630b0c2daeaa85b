import assert from "node:assert/strict";
import { test } from "node:test";
import { restartDelayMs, restartDelayMsMax } from "./backoff.ts";

test("the first end is made good at once, the next ones later and later, up to a bound", () => {
  assert.deepEqual([1, 2, 3, 4, 5].map(restartDelayMs), [0, 100, 200, 400, 800]);
  assert.equal(restartDelayMs(100), restartDelayMsMax);
});
