// Calls at a mesh of the bench's own, few enough for any machine.
import assert from "node:assert/strict";
import { test } from "node:test";
import { run } from "../program.ts";

test("calls takes turns with its control, and every answered call is counted once by the counters", async () => {
  const out: string[] = [];
  const err: string[] = [];
  const small = ["--clients", "4", "--sessions", "20", "--seconds", "1"];
  const code = await run(["bench", "calls", "--json", ...small], {
    out: (line) => out.push(line),
    err: (line) => err.push(line),
  });
  assert.deepEqual([code, out.length], [0, 1], err.join("\n"));
  const figures = JSON.parse(out[0] ?? "") as Record<string, number>;
  const {
    calls = 0,
    lost,
    doubled,
    failed,
    nodeCpuUs = 0,
    natsCpuUs = 0,
    controlCpuUs = 0,
    cpuOfControl = 0,
  } = figures;
  assert.deepEqual([lost, doubled, failed], [0, 0, 0]);
  assert.ok(calls > 0 && nodeCpuUs > 0 && natsCpuUs > 0 && controlCpuUs > 0 && cpuOfControl > 0, out.join());
  for (const name of ["perSecond", "p50Ms", "p99MsOne", "perSecondOfControl"]) {
    const [low = 0, middle = 0, high = 0] = [figures[`${name}Low`], figures[name], figures[`${name}High`]];
    assert.ok(low > 0 && low <= middle && middle <= high, `${name}: ${low} ${middle} ${high}`);
  }
});
