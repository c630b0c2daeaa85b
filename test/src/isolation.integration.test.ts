// Bad neighbours beside good ones on one node: what an agent's code does is its own call's affair, logged
// with its name, and nobody else's.
import assert from "node:assert/strict";
import { connect } from "node:http2";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  type Called,
  type Cluster,
  type ClusterNode,
  call,
  deployInstead,
  refusal,
  startCluster,
  waitUntil,
} from "./kit/index.ts";

const configOf = (name: string): string =>
  fileURLToPath(new URL(`./agents/${name}.config.ts`, import.meta.url));
const json = { "content-type": "application/json" };
/** So small that a heap is full in a moment. */
const heapMib = 96;

let cluster: Cluster;
let node: ClusterNode;
/** Calls of the good agent on its own thread, while everything else happens. */
let calm: { readonly stop: AbortController; readonly done: Promise<readonly Called[]> };

before(async () => {
  cluster = await startCluster({
    nodes: 1,
    config: configOf("neighbours-good"),
    nodeFlags: ["--memory-mib", String(heapMib)],
  });
  [node] = cluster.nodes as [ClusterNode];
  await cluster.deploy(configOf("neighbours"));
  const stop = new AbortController();
  calm = { stop, done: callUntil(stop.signal) };
});
after(() => cluster[Symbol.asyncDispose]());

async function callUntil(signal: AbortSignal): Promise<readonly Called[]> {
  const answers: Called[] = [];
  while (!signal.aborted) answers.push(await call(node.url, "calm/k/addSlowly", { input: 50 }));
  return answers;
}

interface Line {
  readonly level: number;
  readonly msg: string;
  readonly agent?: string;
  readonly key?: string;
  readonly method?: string;
  readonly call?: number;
  readonly at?: string;
  readonly request?: string;
  readonly fields?: object;
}

function linesWith(text: string): readonly Line[] {
  const lines = node.process().output().split("\n");
  return lines
    .filter((line) => line.startsWith("{") && line.includes(text))
    .map((line) => JSON.parse(line) as Line);
}

/** The line with this text, once it is there. */
async function lineWith(text: string): Promise<Line> {
  await waitUntil(() => linesWith(text).length > 0, `the log says ${text}`);
  const lines = linesWith(text);
  assert.equal(lines.length, 1, `said once: ${text}`);
  return lines[0] as Line;
}

const threadsEnded = (): number => linesWith("the thread ended:").length;

test("what an agent prints while it is loaded is logged with the agents of its bundle, and the node is ready", async () => {
  const line = await lineWith("neighbours are loaded");
  assert.deepEqual([line.level, line.agent], [30, "beside, crowded, patient, rogue"]);
});

const slips = [
  { method: "forgets", says: "a promise that nobody awaits rejected: Error: the model's stream closed" },
  { method: "forgetsNow", says: "a promise that nobody awaits rejected: Error: rejected at once" },
  { method: "throwsLater", says: "code that runs outside of its call threw: Error: thrown by a timer" },
] as const;
for (const { method, says } of slips)
  test(`${method}: the call is answered, the slip is logged with it, and ends nothing`, async () => {
    const slow = call(node.url, `beside/${method}/addSlowly`, { input: 100 });
    assert.equal((await call(node.url, `rogue/${method}/${method}`)).body, 1);
    const line = await lineWith(says);
    assert.deepEqual([line.level, line.agent, line.key, line.method], [50, "rogue", method, method]);
    assert.match(line.at ?? "", /^neighbours\.config\.ts:\d+:\d+$/);
    assert.equal((await slow).body, 1);
    assert.equal(threadsEnded(), 0);
  });

for (const method of ["revoked", "thenGetter", "badInspect", "exits", "kills"])
  test(`${method}: the call fails alone`, async () => {
    const failed = await call(node.url, `rogue/${method}/${method}`);
    assert.deepEqual([failed.status, refusal(failed).reason], [500, "internal"]);
    assert.equal((await call(node.url, `rogue/${method}/add`, { input: 1 })).body, 1);
    assert.equal(threadsEnded(), 0);
  });

/** Reads of so many sessions, so many of each at a time, each of a millisecond, until the signal. */
async function crowd(sessions: number, each: number, signal: AbortSignal): Promise<number> {
  const client = connect(node.url);
  let answered = 0;
  const read = (key: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const stream = client.request({ ":method": "POST", ":path": `/agents/crowded/${key}/hold`, ...json });
      stream.on("error", reject).on("close", resolve).resume().end("1");
    });
  const readAgain = async (key: string): Promise<void> => {
    for (; !signal.aborted; answered += 1) await read(key);
  };
  await Promise.all(Array.from({ length: sessions * each }, (_, i) => readAgain(`k${i % sessions}`)));
  client.close();
  return answered;
}

test("a call waits for a turn of each other session, however many calls those have", async () => {
  const [sessions, each] = [4, 200];
  const count = async (): Promise<number> => Number((await call(node.url, "crowded/neighbour/count")).body);
  await count();
  const stop = new AbortController();
  const crowded = crowd(sessions, each, stop.signal);
  const waits: number[] = [];
  for (let last = await count(); waits.length < 20; ) {
    const next = await count();
    waits.push(next - last);
    last = next;
  }
  stop.abort();
  const answered = await crowded;
  assert.ok(answered > sessions * each, `${answered} reads`);
  const median = waits.toSorted((a, b) => a - b)[waits.length / 2] ?? 0;
  // most of them while the call and its answer are on their way; in the order of arrival 800 and more
  assert.ok(median < each / 2, `turns of others from one to the next: ${waits.join(" ")}`);
});

test("an error is logged once, with the user's file and line, agent, key and method, and the caller gets no path", async () => {
  const headers = { "x-request-id": "req-7" };
  const failed = await call(node.url, "rogue/erring/fails", { headers });
  assert.match(
    refusal(failed).message ?? "",
    /^the handler threw a RangeError; the log of node \S+ has it as request req-7$/,
  );
  assert.equal(failed.headers.get("x-request-id"), "req-7");
  const line = await lineWith("handler failed: RangeError: no such model");
  assert.deepEqual(
    [line.level, line.agent, line.key, line.method, line.request],
    [50, "rogue", "erring", "fails", "req-7"],
  );
  assert.match(line.at ?? "", /^neighbours\.config\.ts:\d+:\d+$/);
  const misspelt = await call(node.url, "rogue/erring/misspelt");
  assert.deepEqual([refusal(misspelt).code, refusal(misspelt).message], ["unknown", "amount is negative"]);
});

test("a value that the state does not take is told to its sender", async () => {
  const refused = await call(node.url, "beside/shape/add", { input: "2" });
  assert.deepEqual([refused.status, refusal(refused).reason], [400, "bad_request"]);
  assert.match(refusal(refused).message ?? "", /the amount must be an integer.*the input was a string/);
});

test("lines of ctx.log and console have level, fields and call; of a flood so many are kept and the rest counted", async () => {
  await call(node.url, "beside/logs/addSlowly", { input: 1, headers: { "x-request-id": "req-8" } });
  // what a node prints and what it answers go different ways
  const line = await waitUntil(
    () => linesWith("addSlowly begins").find(({ key }) => key === "logs"),
    "the line is there",
  );
  assert.deepEqual(
    [line.level, line.request, line.fields],
    [30, "req-8", { ms: 1, level: "none of the log's" }],
  );
  assert.equal((await call(node.url, "rogue/flood/prints", { input: 5_000 })).body, 1);
  await waitUntil(
    () => linesWith("lines left out: more than logLinesPerSecondMax").length > 0,
    "what was left out is told",
  );
  const kept = linesWith('"msg":"line ').filter(({ level, key }) => level === 50 && key === "flood");
  assert.ok(kept.length <= 2_000, `${kept.length} lines`);
});

/** Calls on the thread of the rogue while it ends: begun ones, a reader, and those that had not begun. */
async function beside(name: string, rogue: string): Promise<{ readonly rogue: Called; readonly at: Line }> {
  const ended = threadsEnded();
  for (const key of ["begun", "reader", "queued"])
    assert.equal((await call(node.url, `beside/${name}-${key}/add`, { input: 1 })).body, 1);
  const begun = call(node.url, `beside/${name}-begun/addSlowly`, { input: 60_000 });
  const queued = call(node.url, `beside/${name}-begun/add`, { input: 1 });
  const reader = call(node.url, `beside/${name}-reader/getSlowly`, { input: 500 });
  await waitUntil(
    () => linesWith("addSlowly begins").some(({ key }) => key === `${name}-begun`),
    "the neighbour has begun",
  );
  const fault = call(node.url, `rogue/${name}/${rogue}`);
  // A thread that is held tells nobody: it is by then, or gone.
  const sentMs = performance.now();
  const isHeld = (): boolean => threadsEnded() > ended || performance.now() - sentMs >= 50;
  await waitUntil(isHeld, "the thread is held or gone");
  const late = call(node.url, `beside/${name}-queued/add`, { input: 1 });
  const failed = await begun;
  assert.deepEqual(
    [failed.status, refusal(failed).reason],
    [503, "worker_lost"],
    "it had begun, and is not run again",
  );
  assert.equal((await queued).body, 2, "it had not begun: the call before it left nothing");
  assert.equal((await late).body, 2);
  assert.equal((await reader).body, 1, "a reader runs again");
  assert.equal(linesWith("addSlowly begins").filter(({ key }) => key === `${name}-begun`).length, 1);
  assert.equal((await call(node.url, `rogue/${name}/add`, { input: 1 })).body, 1, "the fault left nothing");
  await waitUntil(() => threadsEnded() > ended, "the log tells of the thread");
  assert.equal(threadsEnded(), ended + 1);
  const at = await waitUntil(
    () => linesWith("the thread ended under the call").find(({ key }) => key === name),
    "the log tells of the call",
  );
  return { rogue: await fault, at };
}

test("a handler that fills its heap ends its thread, is named, and fails; nobody is run twice", async () => {
  const { rogue, at } = await beside("fills", "fills");
  assert.deepEqual([rogue.status, refusal(rogue).reason], [500, "internal"]);
  assert.match(refusal(rogue).message ?? "", /its heap of heapMib 96 is full/);
  assert.deepEqual([at.agent, at.method], ["rogue", "fills"]);
});

test("handlers that hold their thread one after the other, each within its maxTurn, do not end it", async () => {
  const ended = threadsEnded();
  const held = await Promise.all(
    ["a", "b"].map((key) => call(node.url, `patient/${key}/hold`, { input: 1_200 })),
  );
  assert.deepEqual(
    held.map(({ body }) => body),
    [1, 1],
  );
  assert.equal(threadsEnded(), ended);
});

for (const method of ["spins", "spinsLater"])
  test(`${method}: it is found, named with its line, ended after maxTurn, and nobody is run twice`, async () => {
    const { rogue } = await beside(method, method);
    assert.deepEqual([rogue.status, refusal(rogue).reason], [504, "turn_timeout"]);
    const held = await waitUntil(
      () => linesWith("holds its thread for longer than maxTurn").find(({ key }) => key === method),
      "the log tells who holds it",
    );
    assert.deepEqual([held.agent, held.method], ["rogue", method]);
    assert.match(held.at ?? "", /^neighbours\.config\.ts:\d+:\d+$/);
  });

test("a thread in which voda itself fails, since a builtin was replaced, ends, and its sessions open in the next", async () => {
  assert.equal((await call(node.url, "beside/patched/add", { input: 7 })).body, 7);
  const ended = threadsEnded();
  await call(node.url, "rogue/patches/patchesPush");
  await waitUntil(async () => {
    await call(node.url, "beside/patched/add", { input: 0 });
    return threadsEnded() > ended;
  }, "the thread ends");
  await waitUntil(
    async () => (await call(node.url, "beside/patched/get")).body === 7,
    "its sessions are as they were",
  );
});

test("a timer that no handler can set ends the thread that says it, and the node goes on", async () => {
  const { pid } = node.process();
  const ended = threadsEnded();
  const failed = await call(node.url, "rogue/nonsense/schedulesNonsense");
  assert.deepEqual([failed.status, refusal(failed).reason], [503, "worker_lost"]);
  // what a node prints and what it answers go different ways
  await waitUntil(() => threadsEnded() > ended, "the log tells of the thread");
  assert.match(
    linesWith("the thread ended:").at(-1)?.msg ?? "",
    /cannot be read \(messages of a turn: a timer of every 0 ms/,
  );
  assert.equal((await call(node.url, "rogue/nonsense/add", { input: 1 })).body, 1, "it left nothing");
  assert.deepEqual([threadsEnded(), node.process().pid], [ended + 1, pid]);
});

test("buffers outside of the heap are counted too", async () => {
  const filled = await call(node.url, "rogue/buffers/buffers");
  assert.ok([500, 503, 504].includes(filled.status));
  await waitUntil(() => linesWith("outside of its heap exceed heapMib 96").length > 0, "the thread is ended");
});

interface Deployment {
  readonly name: string;
  readonly code: string;
  readonly says: RegExp;
}
const deployments: readonly Deployment[] = [
  {
    name: "without the agent",
    code: "export default {}",
    says: /on node n1: the bundle has no agent calm; it has: none/,
  },
  { name: "that throws", code: "null.model", says: /on node n1: TypeError: Cannot read properties of null/ },
  {
    name: "that throws many lines",
    code: 'throw new Error("no key:\\n  set KEY")',
    says: /on node n1: Error: no key: set KEY/,
  },
];

for (const { name, code, says } of deployments)
  test(`a bundle ${name} is refused with the node's reason, and the one before it serves`, async () => {
    const { status, message } = await deployInstead(cluster, "calm", code);
    assert.equal(status, 400);
    assert.match(message, says);
    assert.equal((await call(node.url, "calm/k/get")).status, 200);
  });

test("all the while the good agent on its own thread has noticed nothing", async () => {
  calm.stop.abort();
  const answers = await calm.done;
  assert.ok(answers.length > 100, `${answers.length} calls`);
  assert.deepEqual(
    answers.map(({ status, body }) => [status, body]),
    answers.map((_, i) => [200, i + 1]),
  );
});

test("a node that starts again serves all of them", async () => {
  await node.kill9();
  await node.restart();
  assert.equal((await call(node.url, "rogue/fills/get")).body, 1);
  assert.equal((await call(node.url, "calm/k/get")).status, 200);
});
