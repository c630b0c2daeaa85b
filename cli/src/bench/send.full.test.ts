// Messages in a mesh of the bench's own, few enough for any machine.
import assert from "node:assert/strict";
import { test } from "node:test";
import { run } from "../program.ts";
import type { SendFigures } from "./send.ts";

test("send takes turns with its control, and every message of an answered turn is taken once", async () => {
  const out: string[] = [];
  const err: string[] = [];
  const code = await run(["bench", "send", "--json", "--messages", "640", "--pairs", "8"], {
    out: (line) => out.push(line),
    err: (line) => err.push(line),
  });
  assert.deepEqual([code, out.length], [0, 1], err.join("\n"));
  const figures = JSON.parse(out[0] ?? "") as SendFigures & Record<string, unknown>;
  assert.deepEqual([figures["lost"], figures["doubled"]], [0, 0]);
  for (const kind of ["near", "far", "control"] as const)
    for (const value of [figures[kind].perSecond, figures[kind].cpuUs, figures.oneMs[kind]])
      assert.ok(value > 0, `${kind}: ${out.join()}`);
  for (const value of Object.values(figures.ofControl)) assert.ok(value > 0, out.join());
});
