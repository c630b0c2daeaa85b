// Nodes as processes: a workflow goes on by itself, whatever is killed, and does each step once by its key.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { createClient as createApiClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { SessionService, SessionStatus } from "@voda/proto/api";
import { createClient } from "voda/client";
import type config from "./agents/workflows.config.ts";
import { approved } from "./agents/workflows.config.ts";
import { type ClusterNode, call, openTwoNodes, refusal, startUpstream, waitUntil } from "./kit/index.ts";

/** Paths whose answers wait for the test. */
const held = new Map<string, Promise<void>>();
const { cluster, n1, n2 } = await openTwoNodes("workflows");
const upstream = await startUpstream(async ({ path }) => held.get(path));
after(() => upstream[Symbol.asyncDispose]());

function hold(path: string): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  held.set(path, promise);
  return () => {
    held.delete(path);
    resolve();
  };
}

const sellAt = (node: ClusterNode, order: string) =>
  createClient<typeof config>({ url: node.url }).shop(order).$workflows.sell;
const begin = (node: ClusterNode, order: string) =>
  sellAt(node, order).start({ url: upstream.url, order }, { id: order });
const timesOf = (order: string, path: string): number[] =>
  upstream.of(order, path).map(({ asked }) => asked.length);
const asked = (order: string, path: string, times = 1) =>
  waitUntil(() => timesOf(order, path)[0] === times, `${path} of ${order} is asked ${times} times`);
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

test("a workflow is started, waits while its session sleeps, and is woken by its signal", async () => {
  const run = await begin(n1, "plain");
  await waits(n1, "plain");
  await putToSleep("plain");
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

test("its node is killed amid a step, and nobody calls: another one goes on, under the same key", async () => {
  const release = hold("/charge");
  await begin(n1, "dies");
  await asked("dies", "/charge");
  await n1.kill9();
  await asked("dies", "/charge", 2);
  release();
  await waits(n2, "dies");
  const run = sellAt(n2, "dies").get("dies");
  await run.signal(approved, { by: "bob" });
  await run.result();
  assert.deepEqual([timesOf("dies", "/charge"), timesOf("dies", "/ship")], [[2], [1]]);
  assert.deepEqual((await call(n2.url, "shop/dies/steps")).body, stepsOf("dies", "bob"));
  await n1.restart();
});

test("its node is killed while it sleeps or waits: another one goes on with what was signalled", async () => {
  const run = await begin(n1, "rests");
  await waits(n1, "rests");
  await n1.kill9();
  const there = sellAt(n2, "rests").get("rests");
  await there.signal(approved, { by: "eve" });
  await waitUntil(async () => (await there.status()).waitsFor.includes("packing"), "it packs");
  await n1.restart();
  await n2.kill9();
  await waitUntil(() => timesOf("rests", "/ship")[0] === 1, "it is shipped");
  await sellAt(n1, "rests").get(run.id).result();
  assert.deepEqual([timesOf("rests", "/charge"), timesOf("rests", "/ship")], [[1], [1]]);
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

test("one that is cancelled after its node was killed undoes what it did", async () => {
  await begin(n1, "cancelled");
  await waits(n1, "cancelled");
  await n1.kill9();
  const run = sellAt(n2, "cancelled").get("cancelled");
  assert.equal(await run.cancel(), true);
  await assert.rejects(run.result(), { reason: "workflow_cancelled" });
  assert.deepEqual([timesOf("cancelled", "/charge"), timesOf("cancelled", "/refund")], [[1], [1]]);
  await n1.restart();
});
