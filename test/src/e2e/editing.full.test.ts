// A real editing history, played by several clients while nodes are killed.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { meshTrace } from "../../../cli/src/bench/mesh-trace.ts";
import { startMesh } from "../kit/index.ts";

const trace = fileURLToPath(new URL("../../../examples/editor/trace.json.gz", import.meta.url));

test("a real editing history comes out whole on every session while nodes are killed", async (context) => {
  await using mesh = await startMesh();
  const kills = { targets: ["node"], killEveryMs: 3_000, seed: 1 } as const;
  const result = await meshTrace(
    mesh,
    { file: trace, sessions: 4, editsPerCall: 16, ...kills },
    () => undefined,
  );
  context.diagnostic(JSON.stringify(result));
  assert.equal(result.equal, true);
  assert.equal(result.edits, 4 * 26_078);
  assert.ok(result.kills > 0, "no node was killed");
});
