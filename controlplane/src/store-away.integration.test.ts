// NATS is away, frozen, or back without its streams: what needs it is refused by name, soon, and may be asked
// again; what is known without it is answered.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { connect } from "@nats-io/transport-node";
import { freeze, type Nats, startNats, waitUntil } from "@voda/test/kit";
import { openTestControlPlane, type TestControlPlane } from "../test/test-control-plane.ts";
import { answerTrials, TestNode } from "../test/test-node.ts";

const awake = { agent: "counter", key: "awake" };
const asleep = { agent: "counter", key: "asleep" };
const code = Buffer.from("export default 1");
const definition = {
  revision: createHash("sha256").update(code).digest("hex"),
  fields: [{ name: "value", kind: "counter" }],
  methods: [{ name: "increment", mode: "METHOD_MODE_HANDLER" }],
  idleMs: "60000",
  turnMsMax: "10000",
  queueMax: 100,
};
/** The second is undeployed, sooner or later: a call that is refused may have taken effect. */
const agents = ["counter", "leaving"].map((name) => ({ name, ...definition }));
const deployment = { bundle: code.toString("base64"), agents };

const answerMsMax = 25_000;

/** By service and method, what only the store can answer, or a node behind it. */
const needStore: Readonly<Record<string, object>> = {
  "SessionService/GetSession": { session: asleep },
  "SessionService/ListSessions": {},
  "SessionService/SleepSession": { session: awake },
  "SessionService/WakeSession": { session: awake },
  "SessionService/WakeSessions": { sessions: [awake] },
  "SessionService/EndSession": { session: awake },
  "SessionService/ListLostSessions": {},
  "SessionService/AcceptLoss": { session: asleep },
  "AgentService/DeployAgents": deployment,
  "AgentService/UndeployAgent": { name: "leaving" },
  "QuotaService/SetQuota": { quota: { namespace: "other", sessions: 3 } },
  "QuotaService/DeleteQuota": { namespace: "default" },
};
const needNone: Readonly<Record<string, object>> = {
  "SessionService/GetSession": { session: awake },
  "AgentService/GetAgent": { name: "counter" },
  "AgentService/ListAgents": {},
  "NodeService/ListNodes": {},
  "QuotaService/GetQuota": {},
  "QuotaService/ListQuotas": {},
  "PlacementService/GetPlacementCounters": {},
};

let nats: Nats;
let controlPlane: TestControlPlane;
before(async () => {
  nats = await startNats();
  controlPlane = await openTestControlPlane(nats.url);
  const connection = await connect({ servers: nats.url });
  answerTrials(connection, "no lease");
  await connection.flush();
  assert.equal((await ask("AgentService/DeployAgents", deployment)).status, 200);
  await connection.close();
});
after(async () => {
  await controlPlane[Symbol.asyncDispose]();
  await nats.stop();
});

interface Answer {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly body: {
    readonly code?: string;
    readonly message?: string;
    readonly details?: readonly { readonly type: string; readonly debug?: { readonly reason?: string } }[];
  };
}

async function ask(
  method: string,
  request: object,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const response = await fetch(`http://${controlPlane.api}/voda.api.v1.${method}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(request),
    signal: AbortSignal.timeout(answerMsMax),
  });
  const body = (await response.json()) as Answer["body"];
  return { status: response.status, retryAfter: response.headers.get("retry-after"), body };
}

const status = async (request: object): Promise<number> =>
  (await ask("SessionService/GetSession", request)).status;

/** What everybody needs who is to wait and try again. */
function assertAway(method: string, { status: got, retryAfter, body }: Answer): void {
  assert.deepEqual([got, body.code, retryAfter], [503, "unavailable", "1"], `${method}: ${body.message}`);
  const ends = /(^|\/)(Get|List)/.test(method) ? "try again" : "the call may have taken effect: try again";
  const [, rest] = /^the store is away: [^;]+; (.+)$/.exec(body.message ?? "") ?? [];
  assert.equal(rest, ends, `${method}: ${body.message}`);
  const types = body.details?.map(({ type }) => type);
  assert.deepEqual(types, ["google.rpc.ErrorInfo", "google.rpc.RetryInfo"], method);
}

let lives = 0;
/** A node whose lease holds and whose session is awake, as far as anybody knows. */
async function withNode(): Promise<void> {
  await ask("QuotaService/SetQuota", { quota: { namespace: "default", sessions: 100 } });
  const node = await TestNode.open({ nats: nats.url, id: "n1", incarnation: `n1-${(lives += 1)}` });
  node.activate({ namespace: "default", ...awake });
  const isAwake = async (): Promise<boolean> =>
    JSON.stringify((await ask("SessionService/GetSession", { session: awake })).body).includes("AWAKE");
  await waitUntil(isAwake, "the node has reported it");
  await node.kill();
}

async function allAreRefused(withinMs: number): Promise<void> {
  const startedMs = performance.now();
  const known = Object.entries(needNone).map(async ([method, request]) => {
    assert.equal((await ask(method, request)).status, 200, method);
    assert.ok(performance.now() - startedMs < 2_000, `${method} waits for what it does not need`);
  });
  const refused = Object.entries(needStore).map(async ([method, request]) => {
    assertAway(method, await ask(method, request));
    assert.ok(performance.now() - startedMs < withinMs, `${method} took ${performance.now() - startedMs} ms`);
  });
  await Promise.all([...known, ...refused]);
}

test("while NATS is killed, all that needs it is refused within 2 s, and nothing is internal until it is back", async () => {
  await withNode();
  await nats.kill9();
  await allAreRefused(2_000);
  const restarted = nats.restart();
  await waitUntil(async () => {
    const answer = await ask("SessionService/GetSession", { session: asleep });
    if (answer.status !== 200) assertAway("GetSession", answer);
    return answer.status === 200;
  }, "it is back");
  await restarted;
});

test("calls that wait for a server that is killed meanwhile are refused at once", async () => {
  await withNode();
  await freeze(nats.pid());
  const waiting = allAreRefused(4_000);
  await nats.kill9();
  await waiting;
  await nats.restart();
  await waitUntil(async () => (await status({ session: asleep })) === 200, "it is back");
});

test("a call with less time than a lost connection takes to be noticed does not blame the node", async () => {
  await withNode();
  await freeze(nats.pid());
  const headers = { "connect-timeout-ms": "500" };
  for (const method of ["SessionService/SleepSession", "SessionService/WakeSession"])
    assertAway(method, await ask(method, { session: awake }, headers));
  const isNobodyReady = async (): Promise<boolean> =>
    !JSON.stringify((await ask("NodeService/ListNodes", {})).body).includes('"ready":true');
  await waitUntil(isNobodyReady, "no lease is renewed");
  assertAway("WakeSession", await ask("SessionService/WakeSession", { session: asleep }));
  assertAway("WakeSessions", await ask("SessionService/WakeSessions", { sessions: [asleep] }));
  nats.signal("SIGCONT");
  await waitUntil(async () => (await status({ session: asleep })) === 200, "it is back");
});

test("while NATS is frozen, all that needs it is refused within 12 s", async () => {
  await withNode();
  await freeze(nats.pid());
  await allAreRefused(12_000);
  nats.signal("SIGCONT");
  await waitUntil(async () => (await status({ session: asleep })) === 200, "it is back");
});

test("a store that came back without its streams is away", async () => {
  await nats.kill9();
  rmSync(join(nats.dir, "jetstream"), { recursive: true });
  await nats.restart();
  // what a node is asked for is not the store's to answer; the quota may have been deleted by now
  const isAnotherMatter = /Wake|Sleep|End|DeleteQuota/;
  for (const [method, request] of Object.entries(needStore)) {
    if (!isAnotherMatter.test(method)) assertAway(method, await ask(method, request));
  }
});
