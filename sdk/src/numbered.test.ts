import assert from "node:assert/strict";
import { test } from "node:test";
import { agent } from "./agent.ts";
import { numberedCalls } from "./client.ts";
import { testMesh } from "./testing.ts";

test("a number of attempts that is none is refused: each comparison with it would be false, for ever", () => {
  for (const attempts of [Number.NaN, 0, -1, 1.5, Number.POSITIVE_INFINITY, "3" as never])
    assert.throws(
      () => numberedCalls(attempts),
      new RangeError(
        `attempts of ${typeof attempts === "string" ? '"3"' : attempts} is not a whole number of 1 to 100`,
      ),
    );
});

test("a time that is none is refused, whatever it could be taken for", async () => {
  const agents = [agent("a").handlers({ f: () => null })];
  for (const now of ["3", true, null, Number.NaN, -1, new Date("no time")] as never[])
    await assert.rejects(testMesh({ agents, now }), /^RangeError: now of .* is no time since 1970/);
});
