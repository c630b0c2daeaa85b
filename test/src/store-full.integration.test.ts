// A store that is full: writes are refused at once, sessions in memory are read for as long as it lasts, and
// all goes on when there is room again.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { median } from "@voda/stdx/bench";
import { type Cluster, type ClusterNode, call, refusal, startCluster, waitUntil } from "./kit/index.ts";

const config = fileURLToPath(new URL("./agents/bulk.config.ts", import.meta.url));
const storeBytesMax = 16 << 20;
/** Three lives of a lease. */
const fullMs = 10_000;
/**
 * Times a call that needs no session and no store: what waits for either, even for the shortest time after
 * which something is tried again, takes more of them. A single call has a busy machine to wait for.
 */
const atOnceOfControl = 10;
/** Until a node knows for certain what the server holds. */
const looksMs = 3_000;
const putBytes = 900_000;

let cluster: Cluster;
let node: ClusterNode;
let puts = 0;
/** How long each took, in milliseconds. */
const took: Record<"refused" | "read" | "control", number[]> = { refused: [], read: [], control: [] };
/** What the session `awake` holds. */
let count = 0;

before(async () => {
  cluster = await startCluster({ nodes: 1, config, storeBytesMax });
  [node] = cluster.nodes as [ClusterNode];
});
after(() => cluster[Symbol.asyncDispose]());

async function end(key: string): Promise<void> {
  const response = await fetch(`${cluster.apiUrl}/voda.api.v1.SessionService/EndSession`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ session: { agent: "bulk", key } }),
  });
  assert.equal(response.status, 200, await response.text());
}

/** Whether there was room for it. */
async function write(key: string, method: string, input: unknown): Promise<boolean> {
  const answer = await call(node.url, `bulk/${key}/${method}`, { input });
  if (answer.status === 200) return true;
  assert.deepEqual([answer.status, refusal(answer).reason], [429, "store_full"]);
  return false;
}

const put = (key: string): Promise<boolean> => {
  puts += 1;
  return write(key, "put", { key: `k${puts}`, bytes: putBytes });
};

/** Of a byte: a refused `put` takes the time of its handler. */
async function add(): Promise<boolean> {
  const startedAt = performance.now();
  const isAdded = await write("awake", "add", 1);
  if (isAdded) count += 1;
  else took.refused.push(performance.now() - startedAt);
  return isAdded;
}

/**
 * Until there is no room after a pause either: until it has looked, a node counts twice what it has just
 * sent. Until then a byte asks.
 */
async function fill(key: string): Promise<void> {
  let fullAt: number | undefined;
  const isFull = async (): Promise<boolean> => {
    const nowMs = performance.now();
    const isTaken = fullAt === undefined ? await put(key) : await write("asks", "add", 1);
    fullAt = isTaken ? undefined : (fullAt ?? nowMs);
    return fullAt !== undefined && nowMs - fullAt > looksMs;
  };
  await waitUntil(isFull, "the store is full");
}

async function reads(): Promise<void> {
  const startedAt = performance.now();
  const answer = await call(node.url, "bulk/awake/get");
  assert.deepEqual([answer.status, answer.body], [200, count]);
  took.read.push(performance.now() - startedAt);
}

/** A method that nobody has. */
async function control(): Promise<void> {
  const startedAt = performance.now();
  assert.equal((await call(node.url, "bulk/awake/nothing")).status, 404);
  took.control.push(performance.now() - startedAt);
}

function isAtOnce(what: "refused" | "read"): void {
  const [ms, ofControl] = [median(took[what]), median(took.control)];
  assert.ok(ms < atOnceOfControl * ofControl, `${what} in ${ms} ms, the control in ${ofControl} ms`);
}

test("writes are refused at once, and sessions in memory are read for as long as it lasts", async () => {
  assert.ok(await add());
  await fill("big");
  const fullAt = performance.now();
  let rounds = 0;
  const isOver = async (): Promise<boolean> => {
    await control();
    await reads();
    // a refused write must not cost the reads that follow
    if (rounds % 5 === 0) assert.ok(!(await add()), "there is room");
    rounds += 1;
    return performance.now() - fullAt > fullMs;
  };
  await waitUntil(isOver, "the store was full for long", 2 * fullMs);
  assert.ok(rounds > 30, `${rounds} reads`);
  isAtOnce("read");
  isAtOnce("refused");
});

test("an ended session makes room, and writes go on", async () => {
  await end("big");
  await waitUntil(add, "there is room again");
  await reads();
  assert.ok(await put("other"));
});

test("a larger store makes room, and writes go on", async () => {
  await fill("other");
  assert.ok(!(await add()));
  await cluster.resizeStore(2 * storeBytesMax);
  await waitUntil(add, "there is room again");
  await reads();
  assert.ok(await put("other"));
});
