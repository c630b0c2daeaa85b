import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { NumberMap } from "./number-map.ts";

/** Close to each other, and far apart with the same remainder: both kinds of collision. */
const key = fc.oneof(
  fc.nat(40),
  fc.nat(6).map((n) => n * 16),
  fc.nat(6).map((n) => 2 ** 32 - 3 + n * 1024),
);
const step = fc.record({ key, isSet: fc.boolean(), value: fc.nat() });

test("it holds what a Map would hold", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400, size: "max" }), (steps) => {
      const [mine, model] = [new NumberMap<number>(), new Map<number, number>()];
      for (const { key: at, isSet, value } of steps) {
        if (isSet) {
          mine.set(at, value);
          model.set(at, value);
        } else {
          assert.equal(mine.delete(at), model.delete(at));
        }
        assert.equal(mine.size, model.size);
        for (const { key: each } of steps) assert.equal(mine.get(each), model.get(each));
      }
      const sorted = (values: Iterable<number>): number[] => [...values].sort((a, b) => a - b);
      assert.deepEqual(sorted(mine.values()), sorted(model.values()));
    }),
    { numRuns: 50 },
  );
});

test("a key that is no whole number from 0 is our bug, and told at once", () => {
  const map = new NumberMap<string>();
  for (const wrong of [-1, 1.5, Number.NaN, 2 ** 53]) {
    assert.throws(() => map.set(wrong, "a"), { name: "AssertionError" }, String(wrong));
    assert.deepEqual([map.get(wrong), map.delete(wrong), map.size], [undefined, false, 0]);
  }
});
