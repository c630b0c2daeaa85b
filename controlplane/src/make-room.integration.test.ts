// Room for requests with GPUs, and gangs, over a real nats-server: which commands nodes get, and what callers
// are told.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { type Client, Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import type { NatsConnection } from "@nats-io/transport-node";
import {
  AgentSchema,
  AgentService,
  NodeService,
  PlacementService,
  SessionService,
  SessionStatus,
} from "@voda/proto/api";
import { retryInfo } from "@voda/proto/errors";
import type { DeviceShare } from "@voda/proto/grant";
import { CommandKind } from "@voda/proto/node";
import type { SessionName } from "@voda/proto/session";
import { leakCheck, type Nats, startNats, waitUntil } from "@voda/test/kit";
import { openTestControlPlane, type TestControlPlane } from "../test/test-control-plane.ts";
import { answerTrials, TestNode } from "../test/test-node.ts";

const noLeaks = leakCheck();
let nats: Nats;
let controlPlane: TestControlPlane;
let sessions: Client<typeof SessionService>;
let connection: NatsConnection;
let nodes: Client<typeof NodeService>;
let placement: Client<typeof PlacementService>;

before(async () => {
  nats = await startNats();
  connection = await nats.connect();
  answerTrials(connection, "no lease");
});
after(async () => {
  await nats.stop();
  await noLeaks();
});
beforeEach(async () => {
  controlPlane = await openTestControlPlane(nats.url);
  const transport = createConnectTransport({ baseUrl: `http://${controlPlane.api}`, httpVersion: "1.1" });
  sessions = createClient(SessionService, transport);
  nodes = createClient(NodeService, transport);
  placement = createClient(PlacementService, transport);
  const agents = createClient(AgentService, transport);
  for (const namespace of ["default", "other"]) {
    const bundle = new TextEncoder().encode(`export default ${JSON.stringify(namespace)}`);
    const revision = createHash("sha256").update(bundle).digest("hex");
    const common = { namespace, revision, idleMs: 60_000, turnMsMax: 10_000, queueMax: 100 };
    const solo = create(AgentSchema, { ...common, name: "solo", resources: { gpuMilli: 1000 } });
    await agents.deployAgents({ bundle, agents: [solo] });
  }
});
afterEach(() => controlPlane[Symbol.asyncDispose]());

const name = (key: string, namespace = "default"): SessionName => ({ namespace, agent: "solo", key });
const all = (uuid: string): DeviceShare => ({ uuid, whole: true, milli: 1000, memoryMib: 1000 });
const open = (id: string, ...uuids: string[]): Promise<TestNode> =>
  TestNode.open({
    nats: nats.url,
    id,
    gpus: uuids.map((uuid) => ({ uuid, model: "H200", memoryMib: 1000 })),
  });

/** RetryInfo as it is encoded, and what it says. */
const retryTimes = new Map(
  [250, 1_000].map((ms) => [Buffer.from(retryInfo(ms).value).toString("base64").replace(/=+$/, ""), ms]),
);

interface Picked {
  readonly status: number;
  readonly retryMs: number | undefined;
}
async function pick(key: string, namespace = "default"): Promise<Picked> {
  const path = `${namespace === "default" ? "" : `/namespaces/${namespace}`}/agents/solo/${key}/run`;
  const response = await fetch(`http://${controlPlane.picker}/pick${path}`, { method: "POST" });
  const text = await response.text();
  const { details = [] } = (text === "" ? {} : JSON.parse(text)) as {
    details?: { type: string; value: string }[];
  };
  const retry = details.find(({ type }) => type === "google.rpc.RetryInfo")?.value;
  return { status: response.status, retryMs: retry === undefined ? undefined : retryTimes.get(retry) };
}
const isAwake = async (one: SessionName): Promise<boolean> =>
  (await sessions.getSession({ session: one })).session?.status === SessionStatus.AWAKE;
/** Sessions on the books, per device of all nodes. */
const booked = async (): Promise<number[]> =>
  (await nodes.listNodes({})).nodes.flatMap(({ devices }) => devices.map((device) => device.sessions));
const kinds = (node: TestNode): (readonly [CommandKind, string, number])[] =>
  node.commands.map(({ kind, key, idleMsMin }) => [kind, key, idleMsMin]);

test("a refused caller is told to come back soon, an idle session is put to sleep, and the caller gets its place", async () => {
  await using node = await open("n1", "GPU-a");
  node.activate(name("old"), 1n, [all("GPU-a")]);
  await waitUntil(() => isAwake(name("old")), "the report has come");
  assert.deepEqual(await pick("new"), { status: 429, retryMs: 250 });
  await waitUntil(async () => (await pick("new")).status === 200, "the room is there");
  assert.deepEqual(kinds(node), [[CommandKind.SLEEP, "old", 1_000]]);
  // the report makes the room, the answer after it is what counts
  const counters = async () => {
    const { roomsMade, sleptForRoom, busyForRoom } = await placement.getPlacementCounters({});
    return [roomsMade, sleptForRoom, busyForRoom].join();
  };
  await waitUntil(async () => (await counters()) === "1,1,0", "it is counted");
});

test("the answer of a node makes the room, however late its report is", async () => {
  await using node = await open("n8", "GPU-k");
  node.activate(name("old"), 1n, [all("GPU-k")]);
  await waitUntil(() => isAwake(name("old")), "the report has come");
  node.isMuted = true;
  assert.equal((await pick("new")).retryMs, 250);
  await waitUntil(async () => (await pick("new")).status === 200, "the room is there");
  assert.equal(node.commands.length, 1);
});

test("a session that says busy keeps its device, and the caller is told the usual time", async () => {
  await using node = await open("n2", "GPU-b");
  node.busy.add("old");
  node.activate(name("old"), 1n, [all("GPU-b")]);
  await waitUntil(() => isAwake(name("old")), "the report has come");
  assert.deepEqual(await pick("new"), { status: 429, retryMs: 250 });
  await waitUntil(
    async () => (await placement.getPlacementCounters({})).busyForRoom === 1n,
    "the node said busy",
  );
  // who asks a second later has it asked once more
  await waitUntil(async () => (await pick("new")).retryMs === 1_000, "the caller is told the usual time");
  assert.ok(await isAwake(name("old")));
});

test("sessions of another namespace are not asked", async () => {
  await using node = await open("n3", "GPU-c");
  node.activate(name("old", "other"), 1n, [all("GPU-c")]);
  await waitUntil(() => isAwake(name("old", "other")), "the report has come");
  assert.deepEqual(await pick("new"), { status: 429, retryMs: 1_000 });
  // after a plan, none is made for many times what it took
  await waitUntil(async () => (await pick("new", "other")).retryMs === 250, "its own namespace asks it");
  await waitUntil(() => node.commands.length > 0, "the node is asked");
  assert.equal(node.commands.length, 1);
});

async function failure(call: Promise<unknown>): Promise<{ readonly code: Code; readonly message: string }> {
  const error = await call.then(
    () => assert.fail("the call succeeded"),
    (cause: unknown) => ConnectError.from(cause),
  );
  return { code: error.code, message: error.rawMessage };
}
const joined = (count: number): Promise<unknown> =>
  waitUntil(async () => (await booked()).length === count, `${count} devices are there`);

test("a gang is woken member by member, each with a grant for a device of its own", async () => {
  await using first = await open("n4", "GPU-d");
  await using second = await open("n5", "GPU-e");
  await joined(2);
  const woken = await sessions.wakeSessions({ sessions: [name("g1"), name("g2")] });
  assert.deepEqual(
    woken.sessions.map(({ key, status, epoch }) => [key, status, epoch]),
    ["g1", "g2"].map((key) => [key, SessionStatus.AWAKE, 7n]),
  );
  assert.deepEqual(woken.sessions.map(({ node }) => node).toSorted(), ["n4", "n5"]);
  assert.deepEqual([first.grants.length, second.grants.length], [1, 1]);
  await waitUntil(async () => (await booked()).join() === "1,1", "both are on the books");
});

test("a gang that does not fit is refused by name, reserves nothing and wakes nobody", async () => {
  await using node = await open("n6", "GPU-f", "GPU-g");
  await joined(2);
  const refused = await failure(
    sessions.wakeSessions({ sessions: ["g1", "g2", "g3"].map((key) => name(key)) }),
  );
  assert.equal(refused.code, Code.ResourceExhausted);
  assert.match(refused.message, /^solo\/g\d found no place beside the others: none of 1 nodes has room now/);
  assert.deepEqual([await booked(), node.commands], [[0, 0], []]);
});

test("when one member cannot be woken, those that the call woke sleep again and the others stay awake", async () => {
  await using node = await open("n7", "GPU-h", "GPU-i", "GPU-j");
  node.activate(name("early"), 1n, [all("GPU-h")]);
  await waitUntil(() => isAwake(name("early")), "the report has come");
  const refused = await failure(
    sessions.wakeSessions({ sessions: ["early", "g1", "fails"].map((key) => name(key)) }),
  );
  assert.equal(refused.code, Code.Unavailable);
  assert.equal(
    refused.message,
    "solo/fails was not woken on n7: no store; those that this call woke sleep again",
  );
  const slept = kinds(node).filter(([kind]) => kind === CommandKind.SLEEP);
  assert.deepEqual(slept.map(([, key]) => key).toSorted(), ["fails", "g1"]);
  assert.ok(slept.every(([, , idleMsMin]) => idleMsMin === 0));
  await waitUntil(async () => (await booked()).join() === "1,0,0", "only the early one is on the books");
  assert.deepEqual([await isAwake(name("early")), await isAwake(name("g1"))], [true, false]);
});

test("a malformed gang is refused before anything is asked of a node", async () => {
  const gang = (...refs: SessionName[]): Promise<unknown> => sessions.wakeSessions({ sessions: refs });
  assert.match((await failure(gang())).message, /names no session/);
  assert.match((await failure(gang(name("g"), name("g")))).message, /solo\/g is named twice/);
  const many = Array.from({ length: 1025 }, (_, i) => name(`g${i}`));
  assert.match((await failure(gang(...many))).message, /1025 sessions exceed gangMembersMax 1024/);
  const unknown = await failure(gang(name("g"), { ...name("g"), agent: "nobody" }));
  assert.deepEqual([unknown.code, /nobody/.test(unknown.message)], [Code.NotFound, true]);
});
