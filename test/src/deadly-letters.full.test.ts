// A message whose handler ends its node, as a fault in native code does, and sessions beside it on two nodes.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { voda as runVoda } from "./kit/command-line.ts";
import { type Cluster, type ClusterNode, call, startCluster, waitUntil } from "./kit/index.ts";

const config = fileURLToPath(new URL("./agents/letters.config.ts", import.meta.url));
/** On one that is not suspected yet, on one that is, and alone after each pause. */
const endsMax = 5;
/** Pauses of 10 and 20 s, leases, and asking the target to seal it. */
const overMs = 120_000;
const keys = ["p0", "p1", "p2", "p3"];

let cluster: Cluster;
/** Nodes that have ended, and were started again as `voda up` does. */
let ends = 0;
const stop = new AbortController();
const watches: Promise<void>[] = [];

async function watch(node: ClusterNode): Promise<void> {
  while (!stop.signal.aborted) {
    const { exited } = node.process();
    const stopped = new Promise((resolve) => stop.signal.addEventListener("abort", resolve, { once: true }));
    await Promise.race([exited, stopped]);
    if (stop.signal.aborted) return;
    ends += 1;
    await node.restart();
  }
}

before(async () => {
  cluster = await startCluster({ nodes: 2, config });
  watches.push(...cluster.nodes.map(watch));
});
after(async () => {
  stop.abort();
  await Promise.all(watches);
  await cluster[Symbol.asyncDispose]();
});

/** Again, at the one node or the other, until it is answered. */
async function insist(path: string, options: { readonly input?: unknown; readonly id?: string } = {}) {
  let attempt = 0;
  const { body } = await waitUntil(async () => {
    const { url } = cluster.nodes[attempt++ % cluster.nodes.length] as ClusterNode;
    const called = call(url, path, { ...options, signal: AbortSignal.timeout(5_000) });
    const [outcome] = await Promise.allSettled([called]);
    return outcome.status === "fulfilled" && outcome.value.status === 200 && outcome.value;
  }, `${path} is answered`);
  return body;
}

test("what ends its node is a dead letter after a few nodes, and what was on its way beside it is taken once", async (context) => {
  await insist("deadly/from/sends", { input: "to", id: "once" });
  let told = 0;
  const startedMs = performance.now();
  const isOver = async (): Promise<boolean> => (await insist("deadly/to/came")) === 1;
  for (let round = 0; ; round += 1) {
    for (const from of keys) await insist(`peer/${from}/tell`, { input: keys, id: `${from} ${round}` });
    told += 1;
    if (await isOver()) break;
    assert.ok(performance.now() - startedMs < overMs, `not over after ${ends} nodes`);
  }
  context.diagnostic(
    `${ends} nodes ended in ${Math.round(performance.now() - startedMs)} ms; ${told} rounds`,
  );
  assert.ok(ends >= 2 && ends <= endsMax, `${ends} nodes`);
  for (const key of keys)
    for (const from of keys)
      await waitUntil(async () => {
        const books = (await insist(`peer/${key}/books`)) as {
          readonly heard: Readonly<Record<string, number>>;
          readonly wrong: number;
        };
        return books.heard[from] === told && books.wrong === 0;
      }, `${key} has heard all of ${from}`);
  const dead = await runVoda(cluster.apiUrl, "ps", "--dead");
  assert.match(dead.stdout, /nodes have ended under the handler 3 times, with nodeEndsMax 3/);
  assert.equal(dead.stdout.match(/deadly\/to/g)?.length, 1, dead.stdout);
  assert.equal(dead.stdout.includes("peer/"), false, "none of the others");
});
