// Nodes as processes: a workflow goes on by itself, whatever is killed, and does each step once by its key.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { createClient as createApiClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { SessionService, SessionStatus } from "@voda/proto/api";
import { createClient } from "voda/client";
import type config from "./agents/workflows.config.ts";
import { approved } from "./agents/workflows.config.ts";
import { voda } from "./kit/command-line.ts";
import {
  type ClusterNode,
  call,
  freeze,
  openTwoNodes,
  refusal,
  startHeldUpstream,
  waitUntil,
} from "./kit/index.ts";

const { cluster, n1, n2 } = await openTwoNodes("workflows");
const { upstream, hold, letThrough, timesOf, asked } = await startHeldUpstream();
after(() => upstream[Symbol.asyncDispose]());

const sellAt = (node: ClusterNode, order: string) =>
  createClient<typeof config>({ url: node.url }).shop(order).$workflows.sell;
const begin = (node: ClusterNode, order: string) =>
  sellAt(node, order).start({ url: upstream.url, order }, { id: order });
const waits = (node: ClusterNode, order: string) =>
  waitUntil(async () => {
    const { waitsFor } = await sellAt(node, order).get(order).status();
    return waitsFor.length > 0;
  }, `${order} waits`);
const stepsOf = (order: string, by: string) =>
  ["begun", "charged", `shipped for ${by}`].map((step) => `${order} ${step}`);

async function putToSleep(key: string): Promise<void> {
  const transport = createConnectTransport({ baseUrl: cluster.apiUrl, httpVersion: "1.1" });
  const session = { namespace: "default", agent: "shop", key };
  const slept = await createApiClient(SessionService, transport).sleepSession({ session });
  assert.equal(slept.session?.status, SessionStatus.ASLEEP);
}

/** What `voda ps` says of it. */
async function seen(key: string): Promise<string> {
  const { stdout, stderr } = await voda(cluster.apiUrl, "ps", `shop/${key}`);
  assert.equal(stderr, "");
  return stdout.trim();
}

test("a workflow is started, waits while its session sleeps, and is woken by its signal", async () => {
  const run = await begin(n1, "plain");
  await waits(n1, "plain");
  assert.match(
    await seen("plain"),
    /workflows +1 +0 running, 1 waiting; ended: 0 failed.*\n\n.*\nplain +sell +waiting +approved$/,
  );
  await putToSleep("plain");
  assert.match(
    await seen("plain"),
    /^shop\/plain +asleep +- +-\n\nnothing wakes it but a call or a message; /m,
  );
  await run.signal(approved, { by: "ann" });
  const result = await run.result();
  assert.deepEqual([timesOf("plain", "/charge"), timesOf("plain", "/ship")], [[1], [1]]);
  assert.equal(result.charge, upstream.of("plain", "/charge")[0]?.receipt);
  assert.deepEqual((await call(n2.url, "shop/plain/steps")).body, stepsOf("plain", "ann"));
});

test("who speaks HTTP starts, signals and sees a workflow by handlers of the session", async () => {
  const input = { workflow: "sell", id: "http", input: { url: upstream.url, order: "http" } };
  assert.deepEqual((await call(n1.url, "shop/http/startWorkflow", { input })).body, { id: "http" });
  const signalled = { id: "http", signal: "approved", data: { by: "curl" } };
  assert.equal((await call(n2.url, "shop/http/signalWorkflow", { input: signalled })).status, 200);
  const done = await waitUntil(async () => {
    const { body } = await call(n1.url, "shop/http/workflowStatus", { input: { id: "http" } });
    return (body as { phase: string }).phase === "done" && body;
  }, "it ends");
  assert.deepEqual(Object.keys((done as { result: object }).result), ["charge", "ship"]);
  assert.equal(refusal(await call(n1.url, "shop/http/_workflow", { input: {} })).reason, "method_not_found");
  const unknown = await call(n1.url, "shop/http/startWorkflow", { input: { workflow: "steal" } });
  assert.equal(refusal(unknown).reason, "workflow_not_found");
});

test("nodes are killed amid a step and while it waits, and nobody calls: others go on, under the same keys", async () => {
  const release = hold("/charge");
  await begin(n1, "dies");
  await asked("dies", "/charge");
  letThrough("/charge");
  await begin(n1, "rests");
  await waits(n1, "rests");
  await n1.kill9();
  await asked("dies", "/charge", 2);
  release();
  await n1.restart();
  for (const order of ["dies", "rests"]) {
    await waits(n2, order);
    await sellAt(n2, order).get(order).signal(approved, { by: "bob" });
  }
  await n2.kill9();
  for (const [order, charges] of [
    ["dies", 2],
    ["rests", 1],
  ] as const) {
    await sellAt(n1, order).get(order).result();
    assert.deepEqual([timesOf(order, "/charge"), timesOf(order, "/ship")], [[charges], [1]]);
    assert.deepEqual((await call(n1.url, `shop/${order}/steps`)).body, stepsOf(order, "bob"));
  }
  await n2.restart();
});

test("its thread ends amid a step: it is run again from the top, and what was done before is not", async () => {
  const release = hold("/ship");
  const run = await begin(n1, "thread");
  await run.signal(approved, { by: "tim" });
  await asked("thread", "/ship");
  assert.equal(refusal(await call(n1.url, "spinner/s/spin")).reason, "turn_timeout");
  await asked("thread", "/ship", 2);
  release();
  await run.result();
  assert.deepEqual([timesOf("thread", "/charge"), timesOf("thread", "/ship")], [[1], [2]]);
  assert.deepEqual((await call(n1.url, "shop/thread/steps")).body, stepsOf("thread", "tim"));
});

test("its node is stopped amid a step for longer than its lease: what it does afterwards counts no more", async () => {
  const release = hold("/charge");
  await begin(n1, "stopped");
  await asked("stopped", "/charge");
  const { pid } = n1.process();
  await freeze(pid);
  try {
    await asked("stopped", "/charge", 2);
    release();
    await waits(n2, "stopped");
  } finally {
    n1.process().signal("SIGCONT");
  }
  const run = sellAt(n2, "stopped").get("stopped");
  assert.equal(await run.cancel(), true);
  await assert.rejects(run.result(), { reason: "workflow_cancelled" });
  assert.deepEqual((await call(n1.url, "shop/stopped/steps")).body, ["stopped begun", "stopped charged"]);
  assert.deepEqual([timesOf("stopped", "/charge"), timesOf("stopped", "/refund")], [[2], [1]]);
});
