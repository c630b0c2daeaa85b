// A minute of SIGKILLs of any part, in a mesh of the bench's own.
import assert from "node:assert/strict";
import { test } from "node:test";
import { run } from "../program.ts";
import type { KillFigures } from "./kill.ts";
import { effectKinds } from "./kill-books.ts";

const seed = Number(process.env["KILL_SEED"] ?? Date.now() % 1_000_000);

test("a minute of SIGKILLs at random: nothing is lost or doubled, each call is decided", async (context) => {
  context.diagnostic(`seed ${seed}`);
  const out: string[] = [];
  const err: string[] = [];
  const flags = ["--target", "random", "--seconds", "60", "--seed", String(seed)];
  const code = await run(["bench", "kill", "--json", ...flags], {
    out: (line) => out.push(line),
    err: (line) => err.push(line),
  });
  context.diagnostic(out.join());
  assert.deepEqual([code, out.length], [0, 1], [...out, ...err].join("\n"));
  const figures = JSON.parse(out[0] ?? "") as KillFigures;
  const { kills, calls, longestGapMs, lost, doubled, undecided, liveNodesLost } = figures;
  assert.deepEqual([lost, doubled, undecided, liveNodesLost, figures.seed], [0, 0, 0, 0, seed]);
  assert.ok(kills > 1 && calls > 0 && longestGapMs > 0, out.join());
  for (const kind of effectKinds) {
    const { made, ...wrong } = figures[kind];
    assert.ok(made > 0, kind);
    assert.deepEqual(wrong, { lost: 0, doubled: 0 }, kind);
  }
});
