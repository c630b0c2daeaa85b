import assert from "node:assert/strict";
import { test } from "node:test";
import { type Duration, durationMs } from "./duration.ts";

const range = { minMs: 0, maxMs: 86_400_000 };

test("each text that compiles as a duration is one", () => {
  const texts: readonly (readonly [Duration, number])[] = [
    ["250ms", 250],
    ["1.5s", 1_500],
    ["2 m", 120_000],
    [" 1h", 3_600_000],
    [".5d", 43_200_000],
    ["1e3ms", 1_000],
  ];
  for (const [text, ms] of texts) assert.equal(durationMs("in", text, range), ms, text.toString());
  assert.throws(() => durationMs("in", "-5m", range), /^RangeError: in of "-5m" is out of range: 0ms to 1d$/);
});

test("what is no number with a unit is refused", () => {
  for (const text of ["", "s", " s", "5", "5 minutes", "1,5s", "NaNs", "Infinityd", "5 m s"])
    assert.throws(
      () => durationMs("in", text as Duration, range),
      /^TypeError: in of ".*" is not a duration: /,
    );
});

test("a long text that is none is refused without being read again from each of its places", () => {
  const startedMs = performance.now();
  for (const text of ["1", "a", " ", "m"].map((one) => one.repeat(1_000_000)))
    assert.throws(() => durationMs("in", text as Duration, range), /is not a duration/);
  assert.ok(performance.now() - startedMs < 2_000);
});
