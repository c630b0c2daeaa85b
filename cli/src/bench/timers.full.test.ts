// Timers in a mesh of the bench's own, few enough for any machine.
import assert from "node:assert/strict";
import { test } from "node:test";
import { run } from "../program.ts";

test("each timer of the bench fires once, and its lateness stands beside that of the control", async () => {
  const out: string[] = [];
  const err: string[] = [];
  const flags = ["--count", "200", "--sessions", "10", "--seconds", "2"];
  const code = await run(["bench", "timers", "--json", ...flags], {
    out: (line) => out.push(line),
    err: (line) => err.push(line),
  });
  assert.deepEqual([code, out.length], [0, 1], err.join("\n"));
  const { fired, doubled, latenessMs, controlMs } = JSON.parse(out[0] ?? "") as Record<string, unknown>;
  assert.deepEqual([fired, doubled], [200, 0]);
  for (const late of [latenessMs, controlMs] as { p50: number; p99: number }[])
    assert.ok(late.p50 >= 0 && late.p99 >= late.p50, out.join());
});
