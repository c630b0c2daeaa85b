import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { after, before, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { type Client, Code, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { findTrailerError } from "@connectrpc/connect/protocol-grpc";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { jetstream } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { Objm } from "@nats-io/obj";
import type { NatsConnection } from "@nats-io/transport-node";
import {
  type Agent,
  AgentSchema,
  AgentService,
  MethodMode,
  NodeService,
  SessionService,
  SessionStatus,
} from "@voda/proto/api";
import { edgePaths } from "@voda/proto/edge-folder";
import { grantProblem, parseGrantClaims } from "@voda/proto/grant";
import { CommandKind } from "@voda/proto/node";
import { encodeNameRecord, type SessionName, sessionToken } from "@voda/proto/session";
import { blobsBucket, edgeSecretKey, keysBucket, laneSubjects } from "@voda/proto/wire";
import { leakCheck, type Nats, startNats, waitUntil } from "@voda/test/kit";
import { decodeJwt } from "jose";
import { pino } from "pino";
import { edgeDir, openTestControlPlane, type TestControlPlane } from "../test/test-control-plane.ts";
import { answerTrials, TestNode, unloadableAgent } from "../test/test-node.ts";
import { readConfig } from "./config.ts";
import { openControlPlane } from "./control-plane.ts";

const quiet = pino({ level: "silent" });
const noLeaks = leakCheck();
let nats: Nats;
let connection: NatsConnection;

before(async () => {
  nats = await startNats();
  connection = await nats.connect();
  answerTrials(connection, "no lease");
});
after(async () => {
  await nats.stop();
  await noLeaks();
});

const open = (): Promise<TestControlPlane> => openTestControlPlane(nats.url);
/** Each test has sessions of its own. */
let count = 0;
const newName = (ofAgent = "counter"): SessionName => ({
  namespace: "default",
  agent: ofAgent,
  key: `k${(count += 1)}`,
});

interface Api {
  readonly agents: Client<typeof AgentService>;
  readonly sessions: Client<typeof SessionService>;
  readonly nodes: Client<typeof NodeService>;
}
function apiOf(controlPlane: TestControlPlane): Api {
  const transport = createConnectTransport({ baseUrl: `http://${controlPlane.api}`, httpVersion: "1.1" });
  return {
    agents: createClient(AgentService, transport),
    sessions: createClient(SessionService, transport),
    nodes: createClient(NodeService, transport),
  };
}

const bundle = (text: string): Uint8Array => new TextEncoder().encode(text);
const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
function agent(name: string, code: Uint8Array, more: { kind?: string; cpuMilli?: number } = {}): Agent {
  return create(AgentSchema, {
    name,
    revision: sha256(code),
    fields: [{ name: "value", kind: more.kind ?? "counter" }],
    methods: [
      { name: "increment", mode: MethodMode.HANDLER },
      { name: "addItem", mode: MethodMode.HANDLER, service: `shop.v1.${name}`, rpc: "AddItem" },
    ],
    resources: { cpuMilli: more.cpuMilli ?? 0 },
    idleMs: 60_000,
    turnMsMax: 10_000,
    queueMax: 100,
  });
}
async function deploy(
  api: Api,
  name: string,
  more: { kind?: string; cpuMilli?: number } = {},
): Promise<void> {
  const code = bundle(`export default ${JSON.stringify([name, more])}`);
  await api.agents.deployAgents({ bundle: code, agents: [agent(name, code, more)] });
}

interface Picked {
  readonly status: number;
  readonly owner: string | null;
  readonly grant: string | null;
  readonly headers: Headers;
  readonly body: string;
}
async function ask(
  controlPlane: TestControlPlane,
  path: string,
  headers: Record<string, string> = {},
): Promise<Picked> {
  const response = await fetch(`http://${controlPlane.picker}/pick${path}`, { method: "POST", headers });
  const of = response.headers;
  return {
    status: response.status,
    owner: of.get("owner"),
    grant: of.get("x-voda-grant"),
    headers: of,
    body: await response.text(),
  };
}
const askFor = (controlPlane: TestControlPlane, name: SessionName): Promise<Picked> =>
  ask(controlPlane, `/agents/${name.agent}/${name.key}/increment`);

async function failure(
  call: Promise<unknown>,
): Promise<{ code: Code; message: string; reason: string | undefined }> {
  const error = await call.then(
    () => assert.fail("the call succeeded"),
    (cause: unknown) => ConnectError.from(cause),
  );
  const info = error.details.find((detail) => "type" in detail && detail.type === "google.rpc.ErrorInfo");
  const text = info !== undefined && "type" in info ? new TextDecoder().decode(info.value) : "";
  return { code: error.code, message: error.rawMessage, reason: /[a-z_]+(?=\W*voda\.dev)/.exec(text)?.[0] };
}

/** What a node does when a session has committed: a record in its lane, and its name. */
async function writeLane(name: SessionName, more: { ttl?: string } = {}): Promise<void> {
  const js = jetstream(connection);
  const subjects = laneSubjects(sessionToken(name));
  await js.publish(subjects.plain, "record", more);
  await js.publish(subjects.name, encodeNameRecord(name));
}

test("control planes that start at once agree on one secret of the edge, and it stays", async () => {
  const keys = await new Kvm(jetstream(connection)).open(keysBucket);
  const secret = async () => (await keys.get(edgeSecretKey))?.string();
  for (const controlPlane of await Promise.all([open(), open()])) await controlPlane[Symbol.asyncDispose]();
  const first = await secret();
  assert.match(first ?? "", /^[0-9a-f]{64}$/);
  await using again = await open();
  assert.deepEqual([await secret(), again.api !== ""], [first, true]);
});

test("a mesh without sessions lists none, and neither does one whose log has no names", async () => {
  await using controlPlane = await open();
  const { sessions } = apiOf(controlPlane);
  const list = async (pageToken = "") => (await sessions.listSessions({ pageToken })).sessions;
  assert.deepEqual(await list(), []);
  await jetstream(connection).publish(laneSubjects(sessionToken(newName())).plain, "record");
  assert.deepEqual(await list(), []);
  assert.deepEqual(await list("1000"), []);
});

test("an awake session is answered with its owner and no grant", async () => {
  await using controlPlane = await open();
  await deploy(apiOf(controlPlane), "counter");
  await using node = await TestNode.open({ nats: nats.url, id: "n1" });
  const name = newName();
  node.activate(name);
  // before the node is known nobody is named, and before its report the session is placed with a grant
  await waitUntil(async () => {
    const { status, owner, grant } = await askFor(controlPlane, name);
    return status === 200 && owner === node.ingress && grant === null;
  }, "the report has come");
});

test("a session that no node has is placed, with a grant for that node, and stays there", async () => {
  await using controlPlane = await open();
  await deploy(apiOf(controlPlane), "counter");
  await using first = await TestNode.open({ nats: nats.url, id: "n2" });
  await using second = await TestNode.open({ nats: nats.url, id: "n3" });
  const name = newName();
  const picked = await waitUntil(
    async () =>
      [await askFor(controlPlane, name)].find(
        (one) => one.owner === first.ingress || one.owner === second.ingress,
      ),
    "a node has joined",
  );
  const node = picked.owner === first.ingress ? first : second;
  const claims = parseGrantClaims(decodeJwt(picked.grant ?? ""));
  assert.ok(typeof claims !== "string");
  const use = {
    session: sessionToken(name),
    node: node.id,
    incarnation: node.incarnation,
    nowMs: Date.now(),
  };
  assert.equal(grantProblem(claims, use), undefined);
  const again = await askFor(controlPlane, name);
  assert.equal(again.owner, picked.owner);
  assert.notEqual(again.grant, null);
});

test("new sessions spread over the nodes", async () => {
  await using controlPlane = await open();
  await deploy(apiOf(controlPlane), "counter");
  await using first = await TestNode.open({ nats: nats.url, id: "n2", incarnation: "spread-2" });
  await using second = await TestNode.open({ nats: nats.url, id: "n3", incarnation: "spread-3" });
  const api = apiOf(controlPlane);
  const ready = async () =>
    (await api.nodes.listNodes({})).nodes.filter((one) => one.incarnation.startsWith("spread") && one.ready);
  await waitUntil(async () => (await ready()).length === 2, "both nodes are ready");
  const owners = await Promise.all(
    Array.from({ length: 40 }, async () => (await askFor(controlPlane, newName())).owner),
  );
  for (const node of [first, second]) {
    const share = owners.filter((owner) => owner === node.ingress).length;
    assert.ok(share >= 10, `${node.id} got ${share} of 40`);
  }
});

test("typed paths find the agent by its service", async () => {
  await using controlPlane = await open();
  await deploy(apiOf(controlPlane), "typed");
  await using node = await TestNode.open({ nats: nats.url, id: "n4" });
  const name = newName("typed");
  node.activate(name);
  const typed = () =>
    ask(controlPlane, "/shop.v1.typed/AddItem", {
      "x-voda-session": name.key,
      "content-type": "application/grpc",
    });
  await waitUntil(async () => (await typed()).owner === node.ingress, "the owner is known");
});

test("a path as long as Envoy lets it through is read", async () => {
  await using controlPlane = await open();
  const long = await ask(controlPlane, `/agents/counter/${"k".repeat(60_000)}/increment`);
  assert.deepEqual([long.status, long.owner], [200, null]);
});

test("what the picker does not know passes without an owner", async () => {
  await using controlPlane = await open();
  for (const path of ["/agents/nobody/k/increment", "/agents/counter/%ff/increment", "/", "/x.Y/Z"]) {
    const picked = await ask(controlPlane, path);
    assert.deepEqual([picked.status, picked.owner, picked.grant], [200, null, null], path);
  }
});

test("no capacity is refused in the protocol of the caller", async () => {
  await using controlPlane = await open();
  await deploy(apiOf(controlPlane), "greedy", { cpuMilli: 1_000_000 });
  const call = () => ask(controlPlane, "/agents/greedy/k/increment", { "content-type": "application/json" });
  await using _node = await TestNode.open({ nats: nats.url, id: "n25" });
  const json = await waitUntil(
    async () => [await call()].find(({ body }) => body.includes("none of 1 nodes")),
    "a node that has no room has joined",
  );
  assert.deepEqual([json.status, json.headers.get("retry-after")], [429, "1"]);
  const body = JSON.parse(json.body) as { code: string; message: string; details: { type: string }[] };
  assert.equal(body.code, "resource_exhausted");
  assert.match(body.message, /none of 1 nodes (?:has room now|could take it even empty)/);
  assert.deepEqual(
    body.details.map((detail) => detail.type),
    ["google.rpc.ErrorInfo", "google.rpc.RetryInfo"],
  );
  const session: Interceptor = (next) => (asked) => {
    asked.header.set("x-voda-session", "k");
    asked.header.set("x-voda-agent", "greedy");
    return next(asked);
  };
  const baseUrl = `http://${controlPlane.picker}/pick`;
  const transport = createConnectTransport({ baseUrl, httpVersion: "1.1", interceptors: [session] });
  const connectSees = await failure(createClient(NodeService, transport).listNodes({}));
  const grpc = await ask(controlPlane, "/agents/greedy/k/increment", {
    "content-type": "application/grpc+proto",
  });
  assert.deepEqual([grpc.status, grpc.headers.get("grpc-status")], [429, "8"]);
  const grpcSees = await failure(Promise.reject(findTrailerError(grpc.headers)));
  for (const seen of [connectSees, grpcSees]) {
    assert.deepEqual(
      [seen.code, seen.reason, seen.message],
      [Code.ResourceExhausted, "no_capacity", body.message],
    );
  }
  assert.equal(grpc.body, body.message);
});

test("a deployment is stored once and read back over HTTP/1.1, HTTP/2 and every protocol", async () => {
  await using controlPlane = await open();
  const api = apiOf(controlPlane);
  await deploy(api, "stored");
  await deploy(api, "stored");
  const baseUrl = `http://${controlPlane.api}`;
  for (const transport of [
    createConnectTransport({ baseUrl, httpVersion: "1.1" }),
    createConnectTransport({ baseUrl, httpVersion: "2" }),
    createGrpcWebTransport({ baseUrl, httpVersion: "1.1" }),
    createGrpcTransport({ baseUrl }),
  ]) {
    const { agent: found } = await createClient(AgentService, transport).getAgent({ name: "stored" });
    assert.deepEqual([found?.namespace, found?.fields[0]?.kind], ["default", "counter"]);
  }
  await using other = await open();
  const { agents } = await apiOf(other).agents.listAgents({});
  assert.ok(agents.some((one) => one.name === "stored"));
});

test("an undeployed agent is gone from every control plane, its sessions are not placed, and it can come back", async () => {
  await using first = await open();
  await using second = await open();
  await using _node = await TestNode.open({ nats: nats.url, id: "n24" });
  const [api, other] = [apiOf(first), apiOf(second)];
  await deploy(api, "leaving");
  const isThere = async ({ agents }: Api) =>
    (await agents.listAgents({})).agents.some(({ name }) => name === "leaving");
  await waitUntil(() => isThere(other), "the other one knows it");
  await api.agents.undeployAgent({ name: "leaving" });
  assert.equal(await isThere(api), false);
  await waitUntil(async () => !(await isThere(other)), "it is gone from the other one too");
  const again = await failure(other.agents.undeployAgent({ name: "leaving" }));
  assert.deepEqual([again.code, again.reason], [Code.NotFound, "agent_not_found"]);
  assert.equal((await askFor(first, newName("leaving"))).owner, null);
  await deploy(other, "leaving");
  await waitUntil(() => isThere(api), "it is back");
});

test("a deployment that is wrong is refused with what is wrong", async () => {
  await using controlPlane = await open();
  const api = apiOf(controlPlane);
  await deploy(api, "checked");
  const other = await failure(deploy(api, "checked", { kind: "text" }));
  assert.deepEqual([other.code, other.reason], [Code.FailedPrecondition, "schema"]);
  assert.match(other.message, /field value is a counter in the running revision and a text in the new one/);
  const code = bundle("x");
  const forged = await failure(
    api.agents.deployAgents({ bundle: bundle("y"), agents: [agent("checked", code)] }),
  );
  assert.deepEqual([forged.code, forged.reason], [Code.InvalidArgument, "bad_request"]);
  assert.match(forged.message, /is not the bundle's SHA-256/);
  const unknown = await failure(api.agents.getAgent({ name: "nobody" }));
  assert.deepEqual([unknown.code, unknown.reason], [Code.NotFound, "agent_not_found"]);
});

test("a bundle is kept while an agent needs it; one that was refused, replaced or undeployed is removed", async () => {
  await using controlPlane = await open();
  const { agents } = apiOf(controlPlane);
  const blobs = await new Objm(connection).open(blobsBucket);
  const [one, two] = [bundle("kept one"), bundle("kept two")];
  const put = (code: Uint8Array, ...names: string[]): Promise<unknown> =>
    agents.deployAgents({ bundle: code, agents: names.map((name) => agent(name, code)) });
  const kept = async (): Promise<readonly boolean[]> => {
    const infos = await Promise.all([one, two].map((code) => blobs.info(sha256(code))));
    return infos.map((info) => info !== null && !info.deleted);
  };
  await put(one, "kepta", "keptb");
  await put(two, "kepta");
  assert.deepEqual(await kept(), [true, true], "the second agent still needs the first one");
  await put(two, "keptb");
  assert.deepEqual(await kept(), [false, true]);
  const refused = await failure(put(one, unloadableAgent));
  assert.match(refused.message, /it throws/);
  assert.deepEqual(await kept(), [false, true]);
  await failure(put(two, unloadableAgent));
  assert.deepEqual(await kept(), [false, true], "what runs keeps its bundle");
  await put(one, "kepta", "keptb");
  assert.deepEqual(await kept(), [true, false], "one that was removed is deployed again");
  for (const name of ["kepta", "keptb"]) await agents.undeployAgent({ name });
  assert.deepEqual(await kept(), [false, false]);
});

test("get tells awake, asleep and unborn sessions apart", async () => {
  await using controlPlane = await open();
  const api = apiOf(controlPlane);
  await using node = await TestNode.open({ nats: nats.url, id: "n5" });
  const [awake, asleep, ended, unborn] = [newName(), newName(), newName(), newName()];
  node.activate(awake, 3n);
  await writeLane(asleep);
  await writeLane(ended, { ttl: "168h" });
  const status = async (name: SessionName) => (await api.sessions.getSession({ session: name })).session;
  await waitUntil(async () => (await status(awake))?.status === SessionStatus.AWAKE, "the report has come");
  const found = await status(awake);
  assert.deepEqual([found?.node, found?.epoch], ["n5", 3n]);
  assert.equal((await status(asleep))?.status, SessionStatus.ASLEEP);
  assert.equal((await status(ended))?.status, SessionStatus.UNBORN);
  assert.equal((await status(unborn))?.status, SessionStatus.UNBORN);
});

test("list pages over the sessions of a namespace and may be for one agent", async () => {
  await using controlPlane = await open();
  const api = apiOf(controlPlane);
  const keys = Array.from({ length: 7 }, (_, i) => `page-${i}`);
  for (const key of keys) {
    await writeLane({ namespace: "paged", agent: "a", key });
    await writeLane({ namespace: "paged", agent: "b", key });
  }
  const seen: string[] = [];
  let pages = 0;
  for (let pageToken = "", isFirst = true; isFirst || pageToken !== ""; isFirst = false) {
    const page = await api.sessions.listSessions({ namespace: "paged", agent: "b", pageSize: 3, pageToken });
    seen.push(...page.sessions.map((one) => one.key));
    pageToken = page.nextPageToken;
    pages += 1;
  }
  assert.deepEqual([seen, pages], [keys, 3]);
  assert.equal((await api.sessions.listSessions({ namespace: "paged" })).sessions.length, 14);
  const bad = await failure(api.sessions.listSessions({ pageToken: "x" }));
  assert.deepEqual([bad.code, bad.reason], [Code.InvalidArgument, "bad_request"]);
});

test("wake, sleep and end reach the node that has, or gets, the session", async () => {
  await using controlPlane = await open();
  const api = apiOf(controlPlane);
  await deploy(api, "moved");
  await using node = await TestNode.open({ nats: nats.url, id: "n6", incarnation: "moved-6" });
  const isReady = async () =>
    (await api.nodes.listNodes({})).nodes.filter((one) => one.ready).map((one) => one.incarnation);
  await waitUntil(
    async () => (await isReady()).join() === "moved-6",
    "the node is the only one that is ready",
  );
  const name = newName("moved");
  const { session: woken } = await api.sessions.wakeSession({ session: name });
  assert.deepEqual([woken?.status, woken?.node, woken?.epoch], [SessionStatus.AWAKE, "n6", 7n]);
  const use = { session: sessionToken(name), node: "n6", incarnation: "moved-6", nowMs: Date.now() };
  const claims = parseGrantClaims(node.grants[0]);
  assert.ok(typeof claims !== "string" && grantProblem(claims, use) === undefined);
  const { session: slept } = await api.sessions.sleepSession({ session: name });
  assert.equal(slept?.status, SessionStatus.ASLEEP);
  await writeLane(name);
  await api.sessions.endSession({ session: name });
  await api.sessions.endSession({ session: newName("moved") });
  assert.deepEqual(
    node.commands.map((command) => [command.kind, command.key, command.grant !== ""]),
    [
      [2, name.key, true],
      [1, name.key, false],
      [3, name.key, true],
    ],
  );
});

test("sleep reaches the node that a session was just sent to, before that node has reported it", async () => {
  await using controlPlane = await open();
  const api = apiOf(controlPlane);
  await deploy(api, "fresh");
  await using node = await TestNode.open({ nats: nats.url, id: "n20" });
  const [called, sent] = [newName("fresh"), newName("fresh")];
  const isSentHere = async (name: SessionName) => (await askFor(controlPlane, name)).owner === node.ingress;
  await waitUntil(() => isSentHere(newName("fresh")), "the node is the only one that is ready");
  assert.ok(await isSentHere(called));
  await writeLane(called); // its first call has committed; the report is on its way
  assert.equal((await api.sessions.sleepSession({ session: called })).session?.status, SessionStatus.ASLEEP);
  assert.ok(await isSentHere(sent)); // its first call has not
  assert.equal((await api.sessions.sleepSession({ session: sent })).session?.status, SessionStatus.UNBORN);
  assert.deepEqual(
    node.commands.map(({ kind, key }) => [kind, key]),
    [called, sent].map(({ key }) => [CommandKind.SLEEP, key]),
  );
});

test("a refusal of the node, and a node that is gone, come as errors of the api", async () => {
  await using controlPlane = await open();
  const api = apiOf(controlPlane);
  await deploy(api, "counter");
  const name = { namespace: "default", agent: "counter", key: "fails" };
  const node = await TestNode.open({ nats: nats.url, id: "n7" });
  node.activate(name);
  const isAwake = async () =>
    (await api.sessions.getSession({ session: name })).session?.status === SessionStatus.AWAKE;
  await waitUntil(isAwake, "the report has come");
  const refused = await failure(api.sessions.wakeSession({ session: name }));
  assert.deepEqual(
    [refused.code, refused.reason, refused.message],
    [Code.Unavailable, "store_away", "no store"],
  );
  await node.kill();
  const gone = await failure(api.sessions.sleepSession({ session: name }));
  assert.deepEqual([gone.code, gone.reason], [Code.Unavailable, "closed"]);
  const nobody = await failure(api.sessions.sleepSession({ session: { agent: "nope", key: "x" } }));
  assert.deepEqual([nobody.code, nobody.reason], [Code.NotFound, "agent_not_found"]);
  const bad = await failure(api.sessions.getSession({ session: { agent: "counter", key: "k".repeat(300) } }));
  assert.deepEqual(
    [bad.code, bad.message],
    [Code.InvalidArgument, "key of 300 bytes exceeds keyBytesMax 256"],
  );
});

test("a control plane that starts learns from full reports what is awake", async () => {
  await using node = await TestNode.open({ nats: nats.url, id: "n8" });
  const name = newName();
  node.activate(name, 4n);
  for (const controlPlane of [await open(), await open()]) {
    await using closing = controlPlane;
    const { session } = await apiOf(closing).sessions.getSession({ session: name });
    assert.deepEqual([session?.node, session?.epoch], ["n8", 4n]);
  }
  assert.ok(node.resyncs >= 2);
});

test("two control planes side by side know the same sessions", async () => {
  await using first = await open();
  await using second = await open();
  await using node = await TestNode.open({ nats: nats.url, id: "n9" });
  const name = newName();
  node.activate(name);
  for (const one of [first, second]) {
    const owner = async () =>
      (await apiOf(one).sessions.getSession({ session: name })).session?.node === "n9";
    await waitUntil(owner, "both know the owner");
  }
});

test("a lost report is made good by a full one", async () => {
  await using controlPlane = await open();
  const api = apiOf(controlPlane);
  await using node = await TestNode.open({ nats: nats.url, id: "n10" });
  const [kept, lost] = [newName(), newName()];
  node.activate(kept);
  const isAwake = async (name: SessionName) =>
    (await api.sessions.getSession({ session: name })).session?.status === SessionStatus.AWAKE;
  await waitUntil(() => isAwake(kept), "the first report has come");
  node.loseReport();
  node.activate(lost);
  await waitUntil(() => isAwake(lost), "the full report has come");
  assert.ok(await isAwake(kept));
});

test("an obituary takes a node out at once; silence takes it out when its lease has ended", async () => {
  await using controlPlane = await open();
  const api = apiOf(controlPlane);
  const there = async (id: string) => (await api.nodes.listNodes({})).nodes.some((one) => one.id === id);
  await using stays = await TestNode.open({ nats: nats.url, id: "n11" });
  const buried = await TestNode.open({ nats: nats.url, id: "n12" });
  const silent = await TestNode.open({ nats: nats.url, id: "n13" });
  await waitUntil(async () => (await there("n12")) && (await there("n13")), "the nodes have joined");
  await Promise.all([silent.kill(), buried.kill()]);
  await buried.writeObituary(connection);
  await waitUntil(async () => !(await there("n12")), "the obituary counts");
  assert.ok((await there("n13")) || performance.now() > silent.leaseEndsMs());
  await waitUntil(async () => !(await there("n13")), "the silent node is lost");
  const earlyMs = silent.leaseEndsMs() - performance.now();
  assert.ok(earlyMs < 0, `${earlyMs} ms before the end of its lease`);
  assert.ok(await there(stays.id));
});

test("a node whose lease has ended is asked no more, though its heart beats: its sessions are placed anew", async () => {
  await using controlPlane = await open();
  await deploy(apiOf(controlPlane), "moving");
  await using lapsing = await TestNode.open({ nats: nats.url, id: "n21" });
  const name = newName("moving");
  lapsing.activate(name, 4n);
  const isOwner = async () => (await askFor(controlPlane, name)).owner === lapsing.ingress;
  await waitUntil(isOwner, "the owner is known");
  await using living = await TestNode.open({ nats: nats.url, id: "n22" });
  lapsing.loseLease();
  const elsewhere = async () => {
    const { owner, grant } = await askFor(controlPlane, name);
    return owner === living.ingress && grant !== null;
  };
  await waitUntil(elsewhere, "the session is placed on the other node");
  assert.equal(await isOwner(), false);
});

test("a control plane that starts refuses no session that lives: it serves when it knows the nodes", async () => {
  const name = newName("early");
  await using node = await TestNode.open({ nats: nats.url, id: "n23", resyncMs: 200 });
  node.activate(name, 4n);
  const folder = edgeDir();
  const socketPath = edgePaths(folder).picker;
  const opening = openControlPlane(readConfig(["--nats", nats.url, "--edge-dir", folder]), quiet);
  const answers: unknown[] = [];
  const path = `/pick/agents/early/${name.key}/get`;
  while (answers.length < 3) {
    // refused until it listens
    const [asked] = await Promise.allSettled([once(request({ socketPath, path }).end(), "response")]);
    if (asked.status !== "fulfilled") continue;
    const [response] = asked.value as [IncomingMessage];
    response.resume();
    answers.push(response.headers["owner"]);
  }
  await using _controlPlane = await opening;
  assert.deepEqual(new Set(answers), new Set([node.ingress]));
});
