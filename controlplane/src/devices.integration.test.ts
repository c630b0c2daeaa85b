// Placement by devices over a real nats-server: what grants give, what is refused, and what a control plane
// that starts knows.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { AgentSchema, AgentService } from "@voda/proto/api";
import { type DeviceShare, parseGrantClaims } from "@voda/proto/grant";
import type { SessionName } from "@voda/proto/session";
import { leakCheck, type Nats, startNats, waitUntil } from "@voda/test/kit";
import { decodeJwt } from "jose";
import { openTestControlPlane, type TestControlPlane } from "../test/test-control-plane.ts";
import { answerTrials, TestNode } from "../test/test-node.ts";

const noLeaks = leakCheck();
let nats: Nats;

before(async () => {
  nats = await startNats();
  await using controlPlane = await open();
  const connection = await nats.connect();
  answerTrials(connection, "no lease");
  const transport = createConnectTransport({ baseUrl: `http://${controlPlane.api}`, httpVersion: "1.1" });
  const bundle = new TextEncoder().encode("export default {}");
  const revision = createHash("sha256").update(bundle).digest("hex");
  const resources = { gpuMilli: 500, gpuMemoryMib: 1000 };
  const agent = create(AgentSchema, {
    name: "model",
    revision,
    resources,
    idleMs: 60_000,
    turnMsMax: 10_000,
    queueMax: 100,
  });
  await createClient(AgentService, transport).deployAgents({ bundle, agents: [agent] });
  await connection.close();
});
after(async () => {
  await nats.stop();
  await noLeaks();
});

const open = (): Promise<TestControlPlane> => openTestControlPlane(nats.url);
const gpus = (...uuids: string[]) => uuids.map((uuid) => ({ uuid, model: "H200", memoryMib: 143_771 }));
const name = (key: string): SessionName => ({ namespace: "default", agent: "model", key });
const half = (uuid: string): DeviceShare => ({ uuid, whole: false, milli: 500, memoryMib: 1000 });

interface Picked {
  readonly status: number;
  readonly message: string;
  readonly grant: string | null;
  readonly devices: readonly DeviceShare[];
}
async function pick(controlPlane: TestControlPlane, key: string): Promise<Picked> {
  const response = await fetch(`http://${controlPlane.picker}/pick/agents/model/${key}/run`, {
    method: "POST",
  });
  const text = await response.text();
  const grant = response.headers.get("x-voda-grant");
  const claims = grant === null ? undefined : parseGrantClaims(decodeJwt(grant));
  assert.ok(typeof claims !== "string");
  const message = text === "" ? "" : String((JSON.parse(text) as { message?: string }).message);
  return { status: response.status, message, grant, devices: claims?.devices ?? [] };
}
const firstGrant = (controlPlane: TestControlPlane, key: string): Promise<Picked> =>
  waitUntil(async () => {
    const picked = await pick(controlPlane, key);
    return picked.status === 200 ? picked : undefined;
  }, "a node has joined");

test("grants fill one device before the next, and what fits nowhere is refused with the nearest miss", async () => {
  await using controlPlane = await open();
  await using _node = await TestNode.open({ nats: nats.url, id: "n1", gpus: gpus("GPU-a", "GPU-b") });
  await firstGrant(controlPlane, "k0");
  const picks = [];
  for (const key of ["k0", "k1", "k2", "k3"]) picks.push(await pick(controlPlane, key));
  assert.deepEqual(
    picks.map(({ devices }) => devices),
    [[half("GPU-a")], [half("GPU-a")], [half("GPU-b")], [half("GPU-b")]],
  );
  const refused = await pick(controlPlane, "k4");
  assert.equal(refused.status, 429);
  assert.match(
    refused.message,
    /^none of 1 nodes has room now \(gpu_\w+: 1\); nearest is n1: gpu_\w+ wanted \d+, free 0$/,
  );
});

test("a control plane that starts places around the devices that sessions hold", async () => {
  await using node = await TestNode.open({ nats: nats.url, id: "n2", gpus: gpus("GPU-c", "GPU-d") });
  node.activate(name("c1"), 1n, [half("GPU-d")]);
  node.activate(name("c2"), 1n, [half("GPU-d")]);
  for (const controlPlane of [await open(), await open()]) {
    await using closing = controlPlane;
    assert.equal((await pick(closing, "c1")).grant, null);
    assert.deepEqual((await pick(closing, "c3")).devices, [half("GPU-c")]);
  }
  assert.ok(node.resyncs >= 2);
});

test("a session that sleeps frees its share, and so does a node that is lost", async () => {
  await using controlPlane = await open();
  const node = await TestNode.open({ nats: nats.url, id: "n3", gpus: gpus("GPU-e") });
  for (const key of ["e1", "e2"]) {
    node.busy.add(key);
    node.activate(name(key), 1n, [half("GPU-e")]);
  }
  await waitUntil(async () => (await pick(controlPlane, "e2")).status === 200, "the reports have come");
  await waitUntil(async () => (await pick(controlPlane, "e3")).status === 429, "the device is full");
  node.deactivate(name("e1"));
  await waitUntil(async () => (await pick(controlPlane, "e3")).status === 200, "a share is free again");
  await using other = await TestNode.open({ nats: nats.url, id: "n4", gpus: gpus("GPU-f") });
  await node[Symbol.asyncDispose]();
  const moved = await waitUntil(
    async () => [await pick(controlPlane, "e2")].find(({ devices }) => devices[0]?.uuid === "GPU-f"),
    "the session of the lost node is placed on the other one",
  );
  assert.deepEqual([moved.devices, other.id], [[half("GPU-f")], "n4"]);
});
