import assert from "node:assert/strict";
import { test } from "node:test";
import { gapPlot, gapsOf, longestGapMs, whileDown } from "./gaps.ts";
import type { Kill } from "./killing.ts";

const kill = (target: Kill["target"], atMs: number, downUntilMs: number, part: string = target): Kill => ({
  target,
  part,
  atMs,
  downUntilMs,
});

test("a gap lasts from an answer to the next one, or to the end", () => {
  assert.equal(longestGapMs([1, 2, 7, 8], { fromMs: 0, toMs: 10 }, 10), 5);
  assert.equal(longestGapMs([1, 2], { fromMs: 0, toMs: 10 }, 10), 8);
  assert.equal(longestGapMs([], { fromMs: 3, toMs: 10 }, 10), 7);
});

test("a gap is the kill's before which it did not begin, however many kills it outlasts", () => {
  const kills = [kill("nats", 10, 12), kill("nats", 20, 22)];
  assert.deepEqual(gapsOf(kills, [1, 9, 30, 31], 40), [20, 10]);
  assert.deepEqual(gapsOf(kills, [12, 19, 21, 22], 23), [7, 1]);
});

test("what was answered while a part was down was begun then too", () => {
  const answered = [
    { startedMs: 9, answeredMs: 12, isWake: false },
    { startedMs: 11, answeredMs: 12, isWake: true },
    { startedMs: 12, answeredMs: 15, isWake: false },
    { startedMs: 18, answeredMs: 21, isWake: true },
    { startedMs: 30, answeredMs: 31, isWake: false },
  ];
  const kills = [kill("controlplane", 10, 20), kill("node", 29, 31, "n1"), kill("worker", 12, 12, "n2")];
  assert.deepEqual(whileDown(kills, answered), {
    controlplane: { downMs: 10, calls: 2, wakes: 1 },
    node: { downMs: 2, calls: 1, wakes: 0 },
  });
});

test("the plot has a bar for each kill, the longest one at full width", () => {
  const kills = [kill("node", 1_000, 2_000, "n1"), kill("envoy", 2_500, 2_600)];
  assert.deepEqual(gapPlot(kills, [400, 100], 0), [
    `   1.0 s  node n1      ${"█".repeat(40)} 400 ms`,
    `   2.5 s  envoy        ${"█".repeat(10)} 100 ms`,
  ]);
});
