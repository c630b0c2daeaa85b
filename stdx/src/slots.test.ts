import assert from "node:assert/strict";
import { test } from "node:test";
import { SlotTable } from "./slots.ts";

test("a released slot is used again under another generation", () => {
  const slots = new SlotTable<string>(4);
  const first = slots.take("a");
  const generation = slots.generation(first);
  assert.equal(slots.release(first, generation), "a");
  assert.equal(slots.take("b"), first);
  assert.notEqual(slots.generation(first), generation);
  assert.equal(slots.get(first, generation), undefined);
  assert.equal(slots.release(first, generation), undefined);
  assert.equal(slots.get(first, slots.generation(first)), "b");
});

test("a full table takes nothing more until a slot is released", () => {
  const slots = new SlotTable<number>(2);
  assert.deepEqual([slots.take(1), slots.take(2), slots.take(3)], [0, 1, -1]);
  assert.equal(slots.size, 2);
  slots.release(0, slots.generation(0));
  assert.equal(slots.size, 1);
  assert.equal(slots.take(3), 0);
});

test("a visitor may release what it visits", () => {
  const slots = new SlotTable<number>(8);
  for (let i = 0; i < 5; i += 1) slots.take(i);
  const seen: number[] = [];
  slots.forEach((value, slot, generation) => {
    seen.push(value);
    slots.release(slot, generation);
  });
  assert.deepEqual(seen, [0, 1, 2, 3, 4]);
  assert.equal(slots.size, 0);
});
