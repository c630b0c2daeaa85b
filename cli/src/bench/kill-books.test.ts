import assert from "node:assert/strict";
import { test } from "node:test";
import { type Books, type Order, type OrderKind, tally, totalOf } from "./kill-books.ts";

const order = (kind: OrderKind, outcome: Order["outcome"]): Order => ({
  id: "1",
  kind,
  from: "a",
  to: "b",
  inMs: 0,
  outcome,
});
const blank: Books = { done: {}, taken: {}, rung: {}, paid: {} };
const books = (a: Partial<Books>, b: Partial<Books> = {}): ReadonlyMap<string, Books> =>
  new Map([
    ["a", { ...blank, ...a }],
    ["b", { ...blank, ...b }],
  ]);
const wrong = (one: Order, of: ReadonlyMap<string, Books>, keys: readonly string[] = []) => {
  const { lost, doubled } = totalOf(tally([one], of, () => keys));
  return { lost, doubled };
};
const fine = { lost: 0, doubled: 0 };
const lost = { lost: 1, doubled: 0 };
const doubled = { lost: 0, doubled: 1 };

test("an acknowledged call is there once, one of unknown outcome at most once", () => {
  assert.deepEqual(wrong(order("call", "acknowledged"), books({ done: { 1: 1 } })), fine);
  assert.deepEqual(wrong(order("call", "acknowledged"), books({})), lost);
  assert.deepEqual(wrong(order("call", "unknown"), books({})), fine);
  assert.deepEqual(wrong(order("call", "unknown"), books({ done: { 1: 1 } })), fine);
  for (const outcome of ["acknowledged", "unknown"] as const)
    assert.deepEqual(wrong(order("call", outcome), books({ done: { 1: 2 } })), doubled);
});

for (const [kind, book] of [
  ["send", "taken"],
  ["schedule", "rung"],
] as const)
  test(`${kind}: what a committed turn said is heard once, what no turn said never`, () => {
    const one = order(kind, "unknown");
    const done = { done: { 1: 1 } };
    assert.deepEqual(wrong(one, books(done, { [book]: { 1: 1 } })), fine);
    assert.deepEqual(wrong(one, books(done)), lost);
    assert.deepEqual(wrong(one, books(done, { [book]: { 1: 2 } })), doubled);
    assert.deepEqual(wrong(one, books({}, { [book]: { 1: 1 } })), doubled);
    assert.deepEqual(wrong(one, books({})), fine);
  });

test("run: a step is known by one key, the one that the state has; a failed turn may have done it", () => {
  const one = order("run", "unknown");
  const paid = books({ done: { 1: 1 }, paid: { 1: "k" } });
  assert.deepEqual(wrong(one, paid, ["k"]), fine);
  assert.deepEqual(wrong(one, paid), lost);
  assert.deepEqual(wrong(one, paid, ["other"]), lost);
  assert.deepEqual(wrong(one, paid, ["k", "l"]), doubled);
  assert.deepEqual(wrong(one, books({}), ["k"]), fine);
});
