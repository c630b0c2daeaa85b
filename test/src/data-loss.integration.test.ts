// A real nats-server loses what it had acknowledged: files of its store are damaged. No session may ever
// answer as it was before, unless somebody has accepted the loss.
import assert from "node:assert/strict";
import { closeSync, openSync, readFileSync, rmSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { sessionToken } from "@voda/proto/session";
import { laneSubjects, logStream, markSubject, marksStream } from "@voda/proto/wire";
import { type Cluster, type ClusterNode, call, refusal, startCluster, waitUntil } from "./kit/index.ts";

/** The server forgets what it has read of a file when nobody has read it for 10 s. */
const cacheMs = 12_000;

let cluster: Cluster;
let node: ClusterNode;

before(async () => {
  cluster = await startCluster({ nodes: 1 });
  [node] = cluster.nodes as [ClusterNode];
});
after(() => cluster[Symbol.asyncDispose]());

const streamFolder = (stream: string): string => join(cluster.nats.dir, "jetstream/$G/streams", stream);
const logFolder = (): string => join(streamFolder("VODA_LOG_0"), "msgs");
const block = (): string => join(logFolder(), "1.blk");

const asked = (method: string, request: object, service = "SessionService"): Promise<Response> =>
  fetch(`${cluster.apiUrl}/voda.api.v1.${service}/${method}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(request),
  });

/** Of the control plane. */
async function ask(method: string, request: object): Promise<unknown> {
  const response = await asked(method, request);
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

const tokenOf = (key: string) => sessionToken({ namespace: "default", agent: "sleeper", key });
const subjectOf = (key: string): string => laneSubjects(tokenOf(key)).plain;

/**
 * Where a record of the session lies in the block; the third from the end has two adds, or one and the
 * release, after it.
 */
function placeOf(key: string, fromEnd = 3): number {
  const subject = subjectOf(key);
  const bytes = readFileSync(block());
  let at = bytes.length;
  for (let count = 0; count < fromEnd; count += 1) at = bytes.lastIndexOf(subject, at - 1);
  assert.ok(at > 0, `no record ${fromEnd} from the end of ${key} in ${block()}`);
  return at + subject.length;
}

/** In place: the running server has the file open. */
function flipInPlace(at: number): void {
  const byte = readFileSync(block())[at] ?? 0;
  const file = openSync(block(), "r+");
  writeSync(file, Uint8Array.of(byte ^ 0x10), 0, 1, at);
  closeSync(file);
}

/** A record in the middle of the lane goes, and the mark of the session, unless it has one. */
async function removeRecord(key: string, index: number, isMarked: boolean): Promise<void> {
  const nats = await cluster.nats.connect();
  const post = (method: string, body: object) =>
    nats.request(`$JS.API.STREAM.${method}`, JSON.stringify(body));
  let seq = 0;
  for (let count = 0; count <= index; count += 1) {
    const got = await post(`MSG.GET.${logStream(0)}`, { seq: seq + 1, next_by_subj: subjectOf(key) });
    seq = got.json<{ message: { seq: number } }>().message.seq;
  }
  await post(`MSG.DELETE.${logStream(0)}`, { seq });
  if (!isMarked) await post(`PURGE.${marksStream(0)}`, { filter: markSubject(tokenOf(key)) });
  await nats.close();
}

async function isRefused(key: string, reason: string): Promise<void> {
  for (const answer of [await get(key), await add(key)]) {
    assert.deepEqual([answer.status, answer.body && refusal(answer).reason], [500, reason]);
    assert.match(JSON.stringify(answer.body), /voda accept-loss sleeper/);
  }
}

const acceptLoss = (key: string) =>
  ask("AcceptLoss", { session: { agent: "sleeper", key } }) as Promise<Accepted>;

function flip(at: number): void {
  const bytes = readFileSync(block());
  bytes[at] = (bytes[at] ?? 0) ^ 0x10;
  writeFileSync(block(), bytes);
}

async function damaged(damage: () => void): Promise<void> {
  await cluster.nats.kill9();
  damage();
  await cluster.nats.restart();
  // the one time when it may say that the store is away: until it is connected again
  await waitUntil(async () => {
    const response = await asked("ListLostSessions", {});
    const text = await response.text();
    if (response.status !== 200) assert.equal(refusal({ body: JSON.parse(text) }).code, "unavailable", text);
    return response.status === 200;
  }, "the control plane is back");
  // on a busy machine its lease may have ended: nobody could be asked whether a session is whole
  const nodes = () => asked("ListNodes", {}, "NodeService").then((response) => response.text());
  await waitUntil(async () => (await nodes()).includes('"ready":true'), "the node is ready");
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

test("a stream of marks that vanishes under living nodes is made anew, said aloud, and nothing waits for it", async () => {
  await born("marked", 3);
  await damaged(() => rmSync(streamFolder("VODA_MARK_0"), { recursive: true }));
  await waitUntil(async () => (await get("marked")).status === 200, "reads go on");
  assert.equal((await add("marked")).body, 4);
  await waitUntil(
    () => node.process().output().includes("stream VODA_MARK_0 was gone and is made anew"),
    "the node says so",
  );
  await putToSleep("marked");
  assert.equal((await get("marked")).body, 4);
});

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
    const refused = await asked("AcceptLoss", { session: { agent: "sleeper", key: whole } });
    assert.equal(refused.status, 400);
    assert.match(await refused.text(), /"sleeper\/\S+ is whole: it has lost nothing/);
    for (const answer of [await get(hurt), await add(hurt), await get(hurt)]) {
      assert.deepEqual([answer.status, answer.body && refusal(answer).reason], [500, "data_loss"]);
      // the release is the sixth; its mark may have been on its way when the server was killed
      assert.match(JSON.stringify(answer.body), /acknowledged was position [56] .*voda accept-loss sleeper/);
    }
    assert.ok((await lostKeys()).includes(hurt));
    const { lost } = await acceptLoss(hurt);
    assert.match(lost?.acknowledgedPosition ?? "", /^[56]$/);
    assert.equal((await get(hurt)).body, 3);
    assert.equal((await add(hurt)).body, 4);
    await putToSleep(hurt);
    assert.equal((await get(hurt)).body, 4);
    assert.ok(!(await lostKeys()).includes(hurt));
  });
}

for (const isMarked of [true, false]) {
  const [key, what] = isMarked ? ["gap", "marked"] : ["unmarked", "never marked"];
  test(`a gap in the middle of a lane that was ${what}: corrupt until it is accepted, then all before it`, async () => {
    await born(key, 5);
    await node.kill9();
    await removeRecord(key, 2, isMarked);
    await node.restart();
    await isRefused(key, "corrupt");
    await acceptLoss(key);
    assert.equal((await get(key)).body, 2);
    assert.equal((await add(key)).body, 3);
    await putToSleep(key);
    assert.equal((await get(key)).body, 3);
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

test("a last record that cannot be read, without a restart: corrupt until it is accepted", async () => {
  await born("hidden", 5);
  await putToSleep("hidden");
  flipInPlace(placeOf("hidden", 1) + 40);
  const flippedAt = performance.now();
  await waitUntil(() => performance.now() - flippedAt > cacheMs, "the server reads its file again");
  await isRefused("hidden", "corrupt");
  await acceptLoss("hidden");
  assert.equal((await get("hidden")).body, 5);
  assert.equal((await add("hidden")).body, 6);
  await putToSleep("hidden");
  assert.equal((await get("hidden")).body, 6);
});

test("a log that vanishes under living nodes: what was in it is data_loss at once, and new sessions are served", async () => {
  await born("asleep-in-it", 3);
  await putToSleep("asleep-in-it");
  await born("awake-in-it", 3);
  await damaged(() => rmSync(streamFolder("VODA_LOG_0"), { recursive: true }));
  await waitUntil(async () => (await add("unborn")).status === 200, "a new session is served");
  for (const key of ["asleep-in-it", "awake-in-it"])
    for (const answer of [await get(key), await add(key)])
      assert.deepEqual([answer.status, answer.body && refusal(answer).reason], [500, "data_loss"], key);
});
