// A real nats-server loses what it had acknowledged: files of its store are damaged. No session may ever
// answer as it was before, unless somebody has accepted the loss.
import assert from "node:assert/strict";
import { readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { sessionToken } from "@voda/proto/session";
import { laneSubjects } from "@voda/proto/wire";
import { type Cluster, type ClusterNode, call, refusal, startCluster, waitUntil } from "./kit/index.ts";

let cluster: Cluster;
let node: ClusterNode;

before(async () => {
  cluster = await startCluster({ nodes: 1 });
  [node] = cluster.nodes as [ClusterNode];
});
after(() => cluster[Symbol.asyncDispose]());

const logFolder = (): string => join(cluster.nats.dir, "jetstream/$G/streams/VODA_LOG_0/msgs");
const block = (): string => join(logFolder(), "1.blk");

/** Of the control plane. */
async function ask(method: string, request: object): Promise<unknown> {
  const response = await fetch(`${cluster.apiUrl}/voda.api.v1.SessionService/${method}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(request),
  });
  const body: unknown = await response.json();
  assert.equal(response.status, 200, JSON.stringify(body));
  return body;
}

const putToSleep = (key: string) => ask("SleepSession", { session: { agent: "sleeper", key } });
interface Accepted {
  readonly lost?: { readonly acknowledgedPosition?: string };
}

async function lostKeys(): Promise<(string | undefined)[]> {
  const { sessions = [] } = (await ask("ListLostSessions", {})) as {
    sessions?: { session?: { key?: string } }[];
  };
  return sessions.map(({ session }) => session?.key);
}

const add = (key: string, input = 1) => call(node.url, `sleeper/${key}/add`, { input });
const get = (key: string) => call(node.url, `sleeper/${key}/get`);

async function born(key: string, adds: number): Promise<void> {
  for (let count = 1; count <= adds; count += 1) assert.equal((await add(key)).body, count);
}

/**
 * Where the third record of the session from the end lies in the block: two adds, or one and the
 * release, come after it.
 */
function placeOf(key: string): number {
  const subject = laneSubjects(sessionToken({ namespace: "default", agent: "sleeper", key })).plain;
  const bytes = readFileSync(block());
  let at = bytes.length;
  for (let count = 0; count < 3; count += 1) at = bytes.lastIndexOf(subject, at - 1);
  assert.ok(at > 0, `no third record of ${key} in ${block()}`);
  return at + subject.length;
}

function flip(at: number): void {
  const bytes = readFileSync(block());
  bytes[at] = (bytes[at] ?? 0) ^ 0x10;
  writeFileSync(block(), bytes);
}

async function damaged(damage: () => void): Promise<void> {
  await cluster.nats.kill9();
  damage();
  await cluster.nats.restart();
}

const bare = (): void => rmSync(join(logFolder(), "index.db"), { force: true });

const damages: Record<string, (key: string) => void> = {
  "a flipped byte": (key) => {
    flip(placeOf(key) + 40);
    bare();
  },
  "a flipped byte before index.db": (key) => flip(placeOf(key) + 40),
  "a cut": (key) => {
    truncateSync(block(), placeOf(key) + 10);
    bare();
  },
};

for (const [what, damage] of Object.entries(damages)) {
  test(`${what} and a kill of the server: a session says data_loss until that is accepted, others go on`, async () => {
    const [whole, hurt] = [`whole ${what}`, `hurt ${what}`].map((key) => key.replaceAll(" ", "-")) as [
      string,
      string,
    ];
    await born(whole, 2);
    await putToSleep(whole);
    await born(hurt, 5);
    await putToSleep(hurt);
    await damaged(() => damage(hurt));
    await waitUntil(async () => (await get(whole)).status === 200, "the server is back");
    assert.equal((await get(whole)).body, 2);
    for (const answer of [await get(hurt), await add(hurt), await get(hurt)]) {
      assert.deepEqual([answer.status, answer.body && refusal(answer).reason], [500, "data_loss"]);
      assert.match(JSON.stringify(answer.body), /acknowledged was position 6 .*voda accept-loss sleeper/);
    }
    assert.deepEqual(await lostKeys(), [hurt]);
    const { lost } = (await ask("AcceptLoss", { session: { agent: "sleeper", key: hurt } })) as Accepted;
    assert.equal(lost?.acknowledgedPosition, "6");
    assert.equal((await get(hurt)).body, 3);
    assert.equal((await add(hurt)).body, 4);
    await putToSleep(hurt);
    assert.equal((await get(hurt)).body, 4);
    assert.deepEqual(await lostKeys(), []);
  });
}

test("a session in memory whose records vanish under it says data_loss too", async () => {
  await born("awake", 4);
  assert.equal((await get("awake")).body, 4);
  await damaged(() => {
    flip(placeOf("awake") + 40);
    bare();
  });
  // until the node is connected again it may answer what it has in memory: nobody can have changed that
  await waitUntil(async () => {
    const { status, body } = await get("awake");
    assert.ok(status !== 200 || body === 4, `an older state: ${JSON.stringify(body)}`);
    return status !== 200 && status !== 503;
  }, "the node has noticed");
  for (const answer of [await get("awake"), await add("awake")])
    assert.deepEqual([answer.status, answer.body && refusal(answer).reason], [500, "data_loss"]);
});
