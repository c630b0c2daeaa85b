// A bundle that never loads: its node gives it its time, and nobody else notices.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { call, deployInstead, startCluster } from "./kit/index.ts";

test("a bundle that loops is refused with the node's reason, and the one before it serves all the while", async () => {
  const config = fileURLToPath(new URL("./agents/neighbours-good.config.ts", import.meta.url));
  await using cluster = await startCluster({ nodes: 1, config });
  const url = cluster.nodes[0]?.url ?? "";
  const over = new AbortController();
  const deployed = deployInstead(cluster, "calm", "for (;;);").finally(() => over.abort());
  let calls = 0;
  while (!over.signal.aborted) {
    calls += 1;
    assert.equal((await call(url, "calm/k/addSlowly", { input: 20 })).body, calls);
  }
  const { status, message } = await deployed;
  assert.equal(status, 400);
  assert.match(message, /on node n1: the bundle did not load in bundleLoadMsMax 10000 ms/);
  assert.ok(calls > 20, `${calls} calls`);
});
