import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { sentProblem } from "./json.ts";

test("what is found right arrives equal", () => {
  const anything = fc.anything({
    withDate: true,
    withMap: true,
    withSet: true,
    withTypedArray: true,
    withBigInt: true,
    withSparseArray: true,
  });
  fc.assert(
    fc.property(fc.oneof(anything, fc.jsonValue()), (value) => {
      if (value === undefined || sentProblem(value, "it") !== undefined) return;
      assert.ok(same(value, JSON.parse(JSON.stringify(value))));
    }),
    { numRuns: 2_000 },
  );
});

/** Equal but for properties that are `undefined` and for the sign of 0. */
function same(a: unknown, b: unknown): boolean {
  if (typeof a !== "object" || a === null || typeof b !== "object" || b === null) return a === b;
  const names = Object.keys(a).filter((name) => Reflect.get(a, name) !== undefined);
  return (
    Array.isArray(a) === Array.isArray(b) &&
    names.length === Object.keys(b).length &&
    names.every((name) => same(Reflect.get(a, name), Reflect.get(b, name)))
  );
}
