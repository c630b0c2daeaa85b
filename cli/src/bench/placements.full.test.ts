// Placements through a mesh of the bench's own, few enough for any machine.
import assert from "node:assert/strict";
import { test } from "node:test";
import { run } from "../program.ts";

test("placement-speed places sessions through a mesh and compares them with calls of sessions that are awake", async () => {
  const out: string[] = [];
  const err: string[] = [];
  const small = ["--nodes", "20", "--decisions", "100", "--rate", "20", "--seconds", "1"];
  const code = await run(["bench", "placement-speed", "--json", ...small], {
    out: (line) => out.push(line),
    err: (line) => err.push(line),
  });
  assert.deepEqual([code, out.length], [0, 1], err.join("\n"));
  const { usPerDecision, endToEnd } = JSON.parse(out[0] ?? "") as Record<string, Record<string, number>>;
  assert.ok((usPerDecision?.["p50"] ?? 0) > 0);
  const {
    rate,
    p50Ms = 0,
    p99Ms = 0,
    controlP99Ms = 0,
    overControlP99Ms = 0,
    perSecond = 0,
    unanswered,
  } = endToEnd ?? {};
  assert.deepEqual([rate, unanswered], [20, 0]);
  assert.ok(p50Ms > 0 && p99Ms >= p50Ms && controlP99Ms > 0 && perSecond > 0, out.join());
  const { cpuMs } = (
    JSON.parse(out[0] ?? "") as { endToEnd: { cpuMs: Record<string, Record<string, number>> } }
  ).endToEnd;
  for (const side of ["placement", "control"])
    assert.deepEqual(Object.keys(cpuMs[side] ?? {}), ["controlplane", "nodes", "nats", "envoy", "driver"]);
  const used = Object.values(cpuMs["placement"] ?? {});
  assert.ok(used.reduce((sum, ms) => sum + ms) > 0, out.join());
  assert.ok(
    Math.abs(p99Ms - controlP99Ms - overControlP99Ms) < 0.02,
    "the difference is the one of the two percentiles",
  );
});
