// Sessions that sleep leave the nodes' memory, and wake through Envoy with what they had.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ownMesh } from "../../../cli/src/bench/mesh.ts";
import { wake } from "../../../cli/src/bench/wake.ts";
import { examples } from "../kit/index.ts";

/** The bar of a machine of its own is 15, which `voda bench wake` measures; tests share theirs. */
const wakeP50MsMax = 30;

test("sessions asleep are out of the nodes' heaps, and wake quickly with their state", async (context) => {
  await using mesh = await ownMesh({ nodes: 2, config: examples });
  const result = await wake(mesh, { sessions: 300, characters: 4_096 }, () => undefined);
  context.diagnostic(JSON.stringify(result));
  const { heapBeforeMb, heapAwakeMb, heapAsleepMb, heapRatio } = result;
  assert.equal(result.wrong, 0);
  assert.ok(
    heapAwakeMb - heapBeforeMb > 2,
    "sessions awake take no memory: what is measured is not the heap",
  );
  assert.ok(heapAsleepMb - heapBeforeMb < (heapAwakeMb - heapBeforeMb) / 2, "more than half of that stayed");
  assert.ok(heapRatio <= 1.1, `heapRatio is ${heapRatio}`);
  assert.ok(result.wakeP50Ms <= wakeP50MsMax, `half of the wakes took more than ${result.wakeP50Ms} ms`);
});
