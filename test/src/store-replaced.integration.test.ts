// A nats-server comes back without anything that it had, under nodes that live: what a session was cannot be
// told from one that never was.
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { call, openTwoNodes, refusal, testAgents, waitUntil } from "./kit/index.ts";

const { cluster, n1, n2 } = await openTwoNodes();
const nodes = [n1, n2] as const;

async function putToSleep(key: string): Promise<number> {
  const response = await fetch(`${cluster.apiUrl}/voda.api.v1.SessionService/SleepSession`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ session: { agent: "sleeper", key } }),
  });
  await response.body?.cancel();
  return response.status;
}

test("a store that lost everything under living nodes: no session answers as if it had never been, nothing hangs, the nodes say so", async () => {
  const keys = ["asleep", "awake"];
  for (const key of keys) {
    for (const count of [1, 2])
      assert.equal((await call(nodes[0].url, `sleeper/${key}/add`, { input: 1 })).body, count);
  }
  assert.equal(await putToSleep("asleep"), 200);
  await cluster.nats.kill9();
  // a call that waits for the store when it comes back empty
  const waiting = call(nodes[0].url, "sleeper/asleep/get");
  rmSync(join(cluster.nats.dir, "jetstream"), { recursive: true });
  await cluster.nats.restart();
  for (const node of nodes) {
    const isSaid = () => node.process().output().includes("the store has lost its log and its marks");
    await waitUntil(isSaid, `${node.id} says so`);
  }
  const answers = [await waiting];
  for (const node of nodes)
    for (const key of [...keys, "unborn"])
      for (const method of ["get", "add"])
        answers.push(await call(node.url, `sleeper/${key}/${method}`, { input: 1 }));
  for (const answer of answers) {
    assert.equal(answer.status, 500, JSON.stringify(answer.body));
    assert.deepEqual([refusal(answer).reason], ["data_loss"]);
    assert.match(JSON.stringify(answer.body), /put the store back/);
  }
});

test("nodes that are started again go on with the store that is there", async () => {
  for (const node of nodes) {
    await node.kill9();
    await node.restart();
  }
  await cluster.deploy(testAgents);
  await waitUntil(
    async () => (await call(nodes[0].url, "sleeper/later/add", { input: 1 })).status === 200,
    "a session is served",
  );
});
