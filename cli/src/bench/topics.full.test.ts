// A topic in a mesh of the bench's own, with subscribers few enough for any machine.
import assert from "node:assert/strict";
import { test } from "node:test";
import { run } from "../program.ts";

test("each message of the bench is taken once by each subscriber, beside turns of a client", async () => {
  const out: string[] = [];
  const err: string[] = [];
  const flags = ["--subscribers", "200", "--messages", "3"];
  const code = await run(["bench", "topics", "--json", ...flags], {
    out: (line) => out.push(line),
    err: (line) => err.push(line),
  });
  assert.deepEqual([code, out.length], [0, 1], err.join("\n"));
  const { applied, doubled, perSecond, ofControl } = JSON.parse(out[0] ?? "") as Record<string, number>;
  assert.deepEqual([applied, doubled], [600, 0]);
  for (const rate of [perSecond, ofControl]) assert.ok(rate !== undefined && rate > 0, out.join());
});
