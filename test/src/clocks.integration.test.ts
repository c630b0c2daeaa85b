// Nodes as processes whose wall clocks are minutes and seconds apart: the store's clock is the only one that
// counts.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { connectApi } from "../../cli/src/api.ts";
import { type Cluster, type ClusterNode, call, startCluster, waitUntil } from "./kit/index.ts";

/** Longer than answers are kept by default. */
const aheadMs = 660_000;

let cluster: Cluster;
let [behind, ahead]: ClusterNode[] = [];

before(async () => {
  cluster = await startCluster({ nodes: 2, wallAheadMs: { n1: -3_000, n2: aheadMs } });
  [behind, ahead] = cluster.nodes;
});
after(() => cluster[Symbol.asyncDispose]());

const urlOf = (node: ClusterNode | undefined): string => node?.url ?? assert.fail("no such node");

/** The body, once the call is decided: its session may be on a node that is gone. */
function insist(node: ClusterNode | undefined, path: string, input: unknown, id: string): Promise<unknown> {
  return waitUntil(async () => {
    const called = await call(urlOf(node), path, { input, id });
    return called.status === 200 ? [called.body] : undefined;
  }, `${path} is answered`).then(([body]) => body);
}

test("calls are forwarded at once between nodes with other clocks, and one repeated on them takes effect once", async () => {
  for (const [i, owner] of [behind, ahead].entries()) {
    for (const at of [owner, behind, ahead]) {
      const { status, body } = await call(urlOf(at), `probe/shared-${i}/add`, { input: 5, id: "k" });
      assert.deepEqual([status, body], [200, 5]);
    }
  }
});

test("commands of the control plane are in time on every node", async () => {
  const { sessions } = connectApi(cluster.apiUrl);
  for (const [i, owner] of [behind, ahead].entries()) {
    const session = { agent: "probe", key: `commanded-${i}` };
    assert.equal((await call(urlOf(owner), `probe/${session.key}/add`, { input: 1 })).body, 1);
    const isKnown = async (): Promise<boolean> =>
      (await sessions.getSession({ session })).session?.node === owner?.id;
    await waitUntil(isKnown, "the control plane knows who has it");
    assert.equal((await sessions.wakeSession({ session })).session?.node, owner?.id);
    await sessions.sleepSession({ session });
  }
});

test("a call repeated on the node that woke the session takes effect once, though its clock is 11 minutes ahead", async () => {
  const path = "probe/moved/add";
  assert.equal((await call(urlOf(behind), path, { input: 5, id: "k" })).body, 5);
  await behind?.kill9();
  assert.equal(await insist(ahead, path, 5, "k"), 5);
  assert.equal((await call(urlOf(ahead), path, { input: 1, id: "next" })).body, 6);
  await Promise.all([ahead?.kill9(), behind?.restart()]);
  assert.equal(await insist(behind, path, 1, "next"), 6);
  assert.equal(await insist(behind, path, 5, "k"), 5);
  assert.deepEqual((await call(urlOf(behind), "probe/moved/get")).body, { count: 6, name: "none" });
});

test("nodes whose wall clocks are far from the store's say so", async () => {
  const says = (node: ClusterNode | undefined): boolean =>
    node?.process().output().includes("wall clock is far from that of the NATS server") ?? false;
  // One has just been started: it knows the store's clock after a few renewals of its lease.
  await waitUntil(() => says(behind) && says(ahead), "both have said it");
});
