import assert from "node:assert/strict";
import { test } from "node:test";
import { callNumbersMax, isCallNumber } from "./wire.ts";

test("a client's numbers are its lowest without an answer and the callNumbersMax - 1 after it, for all rooms", () => {
  const lowest = 5;
  const numbers = [lowest - 1, lowest, lowest + callNumbersMax - 1, lowest + callNumbersMax];
  assert.deepEqual(
    numbers.map((seq) => isCallNumber(seq, lowest)),
    [false, true, true, false],
  );
});
