import assert from "node:assert/strict";
import { test } from "node:test";
import { Alone } from "./alone.ts";

test("one has the turn at a time, in the order in which they came, until it leaves", () => {
  const granted: number[] = [];
  const alone = new Alone((act) => act());
  const ask = (call: number): void => alone.ask(call, () => void granted.push(call));
  ask(1);
  ask(2);
  ask(3);
  ask(1);
  assert.deepEqual(granted, [1, 1], "it has it already");
  alone.leave(2);
  alone.leave(9);
  assert.deepEqual(granted, [1, 1]);
  alone.leave(1);
  assert.deepEqual(granted, [1, 1, 3], "2 went away");
  alone.leave(3);
  ask(4);
  assert.deepEqual(granted, [1, 1, 3, 4]);
});
