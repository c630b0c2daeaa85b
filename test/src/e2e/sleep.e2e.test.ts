// Sessions that sleep leave the nodes' memory, and wake through Envoy with what they had.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ownMesh } from "../../../cli/src/bench/mesh.ts";
import { wake } from "../../../cli/src/bench/wake.ts";
import { examples } from "../kit/index.ts";

test("sessions asleep are out of the nodes' heaps, and wake with their state", async (context) => {
  await using mesh = await ownMesh({ nodes: 1, config: examples });
  const result = await wake(mesh, { sessions: 100, characters: 12_288 }, () => undefined);
  context.diagnostic(JSON.stringify(result));
  const { heapBeforeMb, heapAwakeMb, heapAsleepMb, heapRatio } = result;
  assert.equal(result.wrong, 0);
  assert.ok(
    heapAwakeMb - heapBeforeMb > 2,
    "sessions awake take no memory: what is measured is not the heap",
  );
  assert.ok(heapAsleepMb - heapBeforeMb < (heapAwakeMb - heapBeforeMb) / 2, "more than half of that stayed");
  assert.ok(heapRatio <= 1.1, `heapRatio is ${heapRatio}`);
});
