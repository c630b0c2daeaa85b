// Asks in a mesh of the bench's own, few enough for any machine.
import assert from "node:assert/strict";
import { test } from "node:test";
import { run } from "../program.ts";

test("ask takes turns with its control, and every answered durable ask is counted once by its target", async () => {
  const out: string[] = [];
  const err: string[] = [];
  const code = await run(["bench", "ask", "--json", "--seconds", "1"], {
    out: (line) => out.push(line),
    err: (line) => err.push(line),
  });
  assert.deepEqual([code, out.length], [0, 1], err.join("\n"));
  const figures = JSON.parse(out[0] ?? "") as Record<string, Record<string, number>>;
  assert.deepEqual([figures["lost"], figures["doubled"]], [0, 0]);
  for (const [name, ...parts] of [
    ["sequential", "p50Us", "p99Us"],
    ["piped", "perSecond"],
    ["durable", "p50Us"],
    ["remote", "p50Us", "perSecond"],
    ["ofControl", "sequential", "piped", "cpu"],
  ] as const)
    for (const part of parts) assert.ok((figures[name]?.[part] ?? 0) > 0, `${name}.${part}: ${out.join()}`);
  assert.ok(Number(figures["cpuUsPerAsk"]) > 0, out.join());
});
