// Nodes as processes when agents break their threads, nodes freeze, die or stop, and bundles change under
// calls.
import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { fromBinary } from "@bufbuild/protobuf";
import { type Heartbeat, HeartbeatSchema } from "@voda/proto/node";
import { heartbeatSubject } from "@voda/proto/wire";
import {
  type Called,
  type ClusterNode,
  call,
  freeze,
  openTwoNodes,
  refusal,
  waitUntil,
} from "./kit/index.ts";

const config = fileURLToPath(new URL("./agents/faults.config.ts", import.meta.url));
const nextConfig = fileURLToPath(new URL("./agents/faults-next.config.ts", import.meta.url));

const { cluster, n1, n2 } = await openTwoNodes("faults", { nodeFlags: ["--cpu-milli", "1000"] });

const says = (node: ClusterNode, text: string): boolean => node.process().output().includes(text);

/** Of the control plane. */
async function ask<T>(method: string, request: object): Promise<T> {
  const response = await fetch(`${cluster.apiUrl}/voda.api.v1.${method}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(request),
  });
  return (await response.json()) as T;
}

async function sessionsOn(node: ClusterNode): Promise<number> {
  const { nodes = [] } = await ask<{ nodes?: { id: string; sessions?: number }[] }>(
    "NodeService/ListNodes",
    {},
  );
  return nodes.find(({ id }) => id === node.id)?.sessions ?? 0;
}

/** What the node says of itself. */
async function nextBeat(node: ClusterNode): Promise<Heartbeat> {
  const connection = await cluster.nats.connect();
  try {
    for await (const message of connection.subscribe(heartbeatSubject(node.id), { max: 1 })) {
      return fromBinary(HeartbeatSchema, message.data);
    }
    throw new Error("the subscription ended without a heartbeat");
  } finally {
    await connection.close();
  }
}

test("a handler that never lets go of its thread is ended after maxTurn and the bundle's sessions go on", async () => {
  assert.equal((await call(n1.url, "rogue/spins/add", { input: 1 })).body, 1);
  assert.equal((await call(n1.url, "rogue/beside/add", { input: 1 })).body, 1);
  const spinning = call(n1.url, "rogue/spins/spin");
  await waitUntil(() => says(n1, "holds its thread for longer than maxTurn"), "the thread is found held");
  const spun = await spinning;
  assert.deepEqual([spun.status, refusal(spun).reason], [504, "turn_timeout"]);
  assert.equal((await call(n1.url, "rogue/spins/add", { input: 1 })).body, 2);
  assert.equal((await call(n1.url, "rogue/beside/add", { input: 1 })).body, 2);
});

test("a new revision under calls fails none of them, keeps the state and closes the thread before it", async () => {
  const keys = Array.from({ length: 8 }, (_, i) => `v-${i}`);
  const called: Promise<Called>[] = [];
  const stop = new AbortController();
  const load = async (key: string): Promise<number> => {
    let count = 0;
    for (; !stop.signal.aborted; count += 1) {
      const one = call(n1.url, `versioned/${key}/addSlowly`, { input: 20 });
      called.push(one);
      await one;
    }
    return count;
  };
  const loads = keys.map(load);
  await waitUntil(() => called.length > 2 * keys.length, "calls run");
  await cluster.deploy(nextConfig);
  const isNew = async (): Promise<boolean> => (await call(n1.url, "versioned/v-0/version")).body === 2;
  await waitUntil(isNew, "the session runs under the new revision");
  // Back again: nothing is left on the revision before, which no agent needs any more.
  await cluster.deploy(config);
  await waitUntil(() => says(n1, "old revision closed"), "the thread of the new revision is closed");
  stop.abort();
  const counts = await Promise.all(loads);
  const failed = (await Promise.all(called)).filter(({ status }) => status !== 200);
  assert.deepEqual(failed, []);
  const states = await Promise.all(
    keys.map(async (key) => (await call(n1.url, `versioned/${key}/get`)).body),
  );
  assert.deepEqual(states, counts);
  assert.equal((await call(n1.url, "versioned/v-0/version")).body, 1);
});

test("a session whose first call runs while a new revision comes is answered", async () => {
  const first = call(n1.url, "versioned/held/addSlowly", { input: 700 });
  await cluster.deploy(nextConfig);
  assert.equal((await first).body, 1);
  const isNew = async (): Promise<boolean> => (await call(n1.url, "versioned/held/version")).body === 2;
  await waitUntil(isNew, "the session runs under the new revision");
});

test("an agent that is undeployed leaves no session and no thread, and its state is there when it is back", async () => {
  assert.equal((await call(n1.url, "versioned/gone/add", { input: 1 })).body, 1);
  const closings = (): number => n1.process().output().split("old revision closed").length;
  const before = closings();
  await ask("AgentService/UndeployAgent", { name: "versioned" });
  await waitUntil(() => closings() > before, "its thread is closed");
  assert.equal((await call(n1.url, "versioned/gone/get")).status, 404);
  await cluster.deploy(config);
  assert.equal((await call(n1.url, "versioned/gone/get")).body, 1);
});

test("a node without room refuses new sessions, and still passes calls on to their owners", async () => {
  assert.equal((await call(n1.url, "large/a/add", { input: 1 })).body, 1);
  const refused = await call(n1.url, "large/b/get");
  assert.deepEqual([refused.status, refusal(refused).reason], [429, "no_capacity"]);
  assert.equal(
    (await call(n2.url, "large/b/add", { input: 1 })).body,
    1,
    "the refused read left no claim on the full node",
  );
  assert.equal((await call(n1.url, "large/b/add", { input: 1 })).body, 2);
});

test("a call with a key that a dying node had is run by the node that it came in at", async () => {
  assert.equal((await call(n1.url, "rogue/dies/add", { input: 1 })).body, 1);
  const flying = call(n2.url, "rogue/dies/addSlowly", { input: 350, id: "flying" });
  const unkeyed = call(n2.url, "rogue/dies/add", { input: 1 });
  await waitUntil(async () => (await sessionsOn(n1)) > 0, "the node has reported");
  await n1.kill9();
  await n1.restart();
  const [keyed] = await Promise.all([flying, unkeyed]);
  assert.equal(keyed.status, 200, JSON.stringify(keyed.body));
});

test("a node that was stopped longer than its lease comes back under a new incarnation and takes no session back", async () => {
  assert.equal((await call(n1.url, "rogue/frozen/add", { input: 1 })).body, 1);
  assert.equal((await call(n1.url, "rogue/kept/add", { input: 1 })).body, 1);
  const incarnation = async (): Promise<string | undefined> => {
    const { nodes = [] } = await ask<{ nodes?: { id: string; incarnation: string }[] }>(
      "NodeService/ListNodes",
      {},
    );
    return nodes.find(({ id }) => id === n1.id)?.incarnation;
  };
  const old = await incarnation();
  await freeze(n1.process().pid);
  try {
    const moved = await waitUntil(async () => {
      const called = await call(n2.url, "rogue/frozen/add", { input: 1, id: "moved" });
      return called.status === 200 && called;
    }, "the session runs elsewhere");
    assert.equal(moved.body, 2);
  } finally {
    n1.process().signal("SIGCONT");
  }
  assert.equal((await call(n1.url, "rogue/frozen/get")).body, 2, "no stale read after it comes back");
  await waitUntil(
    async () => (await incarnation()) !== old && (await incarnation()) !== undefined,
    "it has a new lease",
  );
  assert.equal((await call(n1.url, "rogue/frozen/add", { input: 1 })).body, 3);
  assert.equal(
    (await call(n1.url, "rogue/kept/add", { input: 1 })).body,
    2,
    "what nobody took meanwhile goes on",
  );
  const { session } = await ask<{ session?: { node?: string } }>("SessionService/GetSession", {
    session: { agent: "rogue", key: "frozen" },
  });
  assert.equal(session?.node, n2.id);
  const counts = async (): Promise<boolean> => {
    const beat = await nextBeat(n1);
    const { sessions = [] } = await ask<{ sessions?: { node?: string }[] }>("SessionService/ListSessions", {
      pageSize: 1000,
    });
    return beat.sessions > 0 && beat.sessions === sessions.filter(({ node }) => node === n1.id).length;
  };
  await waitUntil(counts, "its heartbeat counts each session once");
});

test("a node that is told to stop, twice, answers what runs, releases its sessions and ends with 0", async () => {
  const keys = ["s-0", "s-1", "s-2"];
  for (const key of keys) await call(n1.url, `rogue/${key}/add`, { input: 1 });
  await waitUntil(async () => (await sessionsOn(n1)) >= keys.length, "the sessions are reported");
  const runs = join(tmpdir(), `voda-runs-${n1.process().pid}`);
  rmSync(runs, { force: true });
  const running = keys.map((key) => call(n1.url, `rogue/${key}/addSlowly`, { input: 300 }));
  const allRun = (): boolean =>
    existsSync(runs) && readFileSync(runs, "utf8") === "runs\n".repeat(keys.length);
  await waitUntil(allRun, "the handlers run");
  rmSync(runs);
  n1.process().signal("SIGTERM");
  n1.process().signal("SIGTERM");
  const answers = await Promise.all(running);
  assert.deepEqual(
    answers.map(({ body }) => body),
    [2, 2, 2],
  );
  assert.equal(await n1.process().exited, 0);
  const took = async (of: readonly string[], body: number): Promise<number> => {
    const startedMs = performance.now();
    for (const key of of) assert.equal((await call(n2.url, `rogue/${key}/add`, { input: 1 })).body, body);
    return performance.now() - startedMs;
  };
  const [releasedMs, bornMs] = [await took(keys, 3), await took(["b-0", "b-1", "b-2"], 1)];
  assert.ok(releasedMs - bornMs < 2_000, `nobody waits for a lease: ${releasedMs} ms, born ${bornMs} ms`);
});
