import assert from "node:assert/strict";
import { test } from "node:test";
import { type Death, recentDeaths, restartAfter } from "./restart.ts";

const failed = (atMs: number): Death => ({ atMs, killed: false });
const killed = (atMs: number): Death => ({ atMs, killed: true });

test("the first death is mended at once", () => {
  assert.deepEqual(restartAfter([failed(0)]), { type: "again", delayMs: 0 });
});

test("each further death doubles the wait, up to a second", () => {
  const delays = [2, 3, 4, 5, 6, 12].map((count) =>
    restartAfter(Array.from({ length: count }, () => killed(0))),
  );
  assert.deepEqual(
    delays.map((restart) => (restart.type === "again" ? restart.delayMs : restart.type)),
    [100, 200, 400, 800, 1000, 1000],
  );
});

test("the fifth failure within the window is the last", () => {
  assert.equal(restartAfter([1, 2, 3, 4].map(failed)).type, "again");
  assert.deepEqual(restartAfter([1, 2, 3, 4, 5].map(failed)), { type: "give_up", failures: 5 });
});

test("a child that served and was killed by somebody never is given up", () => {
  assert.equal(restartAfter(Array.from({ length: 20 }, () => killed(0))).type, "again");
});

test("deaths older than ten seconds no longer count", () => {
  assert.deepEqual(recentDeaths([failed(0), failed(5000), failed(12_000)], 15_000), [
    failed(5000),
    failed(12_000),
  ]);
});
