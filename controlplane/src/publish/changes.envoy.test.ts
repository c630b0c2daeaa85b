import assert from "node:assert/strict";
import { Agent, request } from "node:http";
import { after, before, test } from "node:test";
import { SnapshotRefusedError } from "@voda/envoy";
import {
  callHttp1,
  callHttp2,
  openEcho,
  openTestIngress,
  report,
  type TestIngress,
  type TestServer,
} from "../../../test/src/kit/ingress.ts";
import { leakCheck } from "../../../test/src/kit/leaks.ts";
import { waitUntil } from "../../../test/src/kit/wait.ts";

let nodes: TestServer[];
const checkLeaks = leakCheck();

before(async () => {
  nodes = await Promise.all(["n1", "n2", "n3"].map((name) => openEcho(name)));
});
after(async () => {
  await Promise.all(nodes.map((one) => one.close()));
  await checkLeaks();
});

test("before the first node calls are told so while the API answers, and the first node takes over without a restart", async () => {
  await using ingress = await openTestIngress();
  const early = await callHttp1(ingress.port, "/agents/counter/a/add");
  assert.equal(early.status, 503);
  assert.equal(early.headers["content-type"], "application/json");
  assert.equal(early.headers["retry-after"], "1");
  assert.match(early.text, /"code":"unavailable".*no node is ready yet/);
  const grpc = await callHttp2(ingress.port, "/shop.v1.Cart/Add", {
    "content-type": "application/grpc",
    te: "trailers",
  });
  assert.equal(grpc.headers["grpc-status"], "14");
  assert.equal((await callHttp1(ingress.port, "/voda.api.v1.NodeService/ListNodes")).seen().server, "api");
  assert.equal(ingress.picker.asked.length, 0);
  await ingress.setNodes(nodes);
  assert.equal((await callHttp1(ingress.port, "/agents/counter/a/add")).status, 200);
  assert.deepEqual(ingress.nacks, []);
});

test("a started Envoy has accepted all of the configuration", async () => {
  await using ingress = await openTestIngress(nodes);
  assert.deepEqual(ingress.nacks, []);
  assert.equal(await ingress.envoy.stat("cluster_manager.cds.update_rejected"), 0);
  assert.equal(await ingress.envoy.stat("listener_manager.lds.update_rejected"), 0);
  assert.equal((await callHttp1(ingress.port, "/agents/counter/a/add")).status, 200);
});

test("fifty changes of the nodes under load break no request, and the listener is never touched", async () => {
  await using ingress = await openTestIngress(nodes);
  await using load = startLoad(ingress.port);
  for (let i = 0; i < 50; i += 1) {
    const without = nodes[i % nodes.length];
    const list = i % 2 === 0 ? nodes : nodes.filter((node) => node !== without);
    await ingress.setNodes(list, i % 5 === 0 ? list.slice(0, 1) : []);
  }
  await waitUntil(() => load.answers() > 300, "300 requests are answered");
  assert.deepEqual(await load.stop(), []);
  assert.equal(await ingress.envoy.stat("listener_manager.lds.update_success"), 1);
  assert.deepEqual(ingress.nacks, []);
});

test("a restarted xDS server with the same nodes sends Envoy nothing, and no request fails meanwhile", async () => {
  await using ingress = await openTestIngress(nodes);
  await using load = startLoad(ingress.port);
  const earlier = await updates(ingress);
  await ingress.stopXds();
  await ingress.startXds();
  await ingress.untilAccepted();
  assert.deepEqual(await updates(ingress), earlier);
  assert.deepEqual(await load.stop(), []);
});

test("an empty set of nodes is not published, two nodes at one address are refused, and the last set stays", async () => {
  await using ingress = await openTestIngress(nodes);
  const [first] = nodes;
  assert.ok(first);
  await ingress.setNodes([]);
  ingress.publisher.setNodes([...report([first]), { id: "twin", ingress: first.address, draining: false }]);
  await waitUntil(() => ingress.refused.length > 0, "the twins are refused");
  assert.ok(ingress.refused.every((error) => error instanceof SnapshotRefusedError));
  assert.match(ingress.refused[0]?.message ?? "", /twice/);
  assert.equal((await callHttp1(ingress.port, "/agents/counter/a/add")).status, 200);
  assert.throws(
    () => ingress.publisher.setNodes([{ id: "n", ingress: "127.0.0.1:70000", draining: false }]),
    RangeError,
  );
});

test("a draining node gets no new sessions, also as one of few, and still those that are hinted to it", async () => {
  await using ingress = await openTestIngress(nodes);
  const [first, second, third] = nodes;
  assert.ok(first && second && third);
  await ingress.setNodes(nodes, [first, second]);
  for (let i = 0; i < 20; i += 1)
    assert.equal((await callHttp1(ingress.port, `/agents/c/k${i}/add`)).seen().server, "n3");
  assert.equal(
    (await callHttp1(ingress.port, "/agents/c/a/add", { "x-voda-host": first.address })).seen().server,
    "n1",
  );
  await ingress.setNodes(nodes, nodes);
  assert.equal((await callHttp1(ingress.port, "/agents/c/a/add")).status, 200);
});

test("with the picker and one of two nodes killed, every request goes on to the node that is left", async () => {
  const [first] = nodes;
  assert.ok(first);
  await using dead = await openEcho("dead");
  await using ingress = await openTestIngress([first, dead]);
  await ingress.picker.close();
  await dead.close();
  for (let i = 0; i < 60; i += 1)
    assert.equal((await callHttp1(ingress.port, `/agents/c/k${i}/add`)).status, 200);
  assert.equal(
    (await callHttp1(ingress.port, "/agents/c/a/add", { "x-voda-host": dead.address })).status,
    200,
  );
});

async function updates({ envoy }: TestIngress): Promise<number[]> {
  const names = ["cluster_manager.cds", "listener_manager.lds", "cluster.agents", "http.ingress.rds.ingress"];
  return Promise.all(names.map((name) => envoy.stat(`${name}.update_success`)));
}

const loadClients = 8;

/** Requests without a pause on kept connections; `stop` says what was not answered with 200. */
function startLoad(port: number): AsyncDisposable & { answers(): number; stop(): Promise<string[]> } {
  const agent = new Agent({ keepAlive: true, maxSockets: loadClients });
  const bad: string[] = [];
  let answered = 0;
  const stopping = new AbortController();
  const one = (path: string): Promise<void> =>
    new Promise((resolve) => {
      const outgoing = request({ host: "127.0.0.1", port, path, method: "POST", agent }, (response) => {
        answered += 1;
        if (response.statusCode !== 200) bad.push(`${path}: ${response.statusCode}`);
        response.resume().once("close", resolve);
      });
      outgoing.once("error", (error) => {
        bad.push(`${path}: ${error.message}`);
        resolve();
      });
      outgoing.end();
    });
  const clients = Array.from({ length: loadClients }, async (_, client) => {
    for (let i = 0; !stopping.signal.aborted; i += 1) await one(`/agents/counter/k${client}-${i}/add`);
  });
  const stop = async (): Promise<string[]> => {
    stopping.abort();
    await Promise.all(clients);
    agent.destroy();
    return bad;
  };
  return { answers: () => answered, stop, [Symbol.asyncDispose]: async () => void (await stop()) };
}
