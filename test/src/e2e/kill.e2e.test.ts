// Parts of the mesh are killed under calls: nothing acknowledged is lost or doubled, and calls soon succeed
// again.
import assert from "node:assert/strict";
import { after, before, type TestContext, test } from "node:test";
import { attemptTimeoutMs } from "../../../cli/src/bench/caller.ts";
import { counters } from "../../../cli/src/bench/counters.ts";
import { commandOf } from "../../../cli/src/up/processes.ts";
import type { ReadyFile } from "../../../cli/src/up/ready-file.ts";
import { call, pidsOf, type RunningMesh, signal, startMesh, waitUntil } from "../kit/index.ts";

/**
 * How long a call may take beside the time for which a part was away, which is as long as this machine makes
 * it: one attempt began before the part served again, and one comes after it.
 */
const attemptsMs = 2 * attemptTimeoutMs;
const callsBefore = 100;

let mesh: RunningMesh;
/** From the death of a node until it has answered a call. */
let awayMs = 0;
before(async () => {
  mesh = await startMesh();
});
after(() => mesh[Symbol.asyncDispose]());

test("the ready file has the new process of a node that was killed, where the last one was", async () => {
  const earlier = mesh.describe();
  const [n1] = earlier.nodes;
  assert.ok(n1 !== undefined);
  const killedMs = performance.now();
  signal(n1.pid, "SIGKILL");
  const now = await waitUntil(
    () => mesh.describe().nodes[0]?.pid !== n1.pid && !pidsOf(mesh.describe()).includes(0) && mesh.describe(),
    "the ready file has a new process of n1",
  );
  assert.deepEqual(
    [now.nodes[0]?.ingress, now.nodes[1], now.ingress],
    [n1.ingress, earlier.nodes[1], earlier.ingress],
  );
  assert.equal((await call(`http://${n1.ingress}`, "counter/direct/add", { input: 1 })).body, 1);
  awayMs = performance.now() - killedMs;
});

test("no acknowledged increment is lost or doubled while nodes are killed", async (context) => {
  await everythingRuns();
  const options = {
    clients: 16,
    sessions: 100,
    seconds: 5,
    targets: ["node"],
    killEveryMs: 1_000,
    seed: 2,
  } as const;
  const result = await counters(mesh, options, () => undefined);
  context.diagnostic(JSON.stringify(result));
  assert.deepEqual([result.lost, result.doubled], [0, 0]);
  assert.ok(result.kills >= 2, `${result.kills} nodes were killed`);
  isFeltFor(result.slowestCallMs, result.kills * awayMs);
});

const parts: readonly (readonly [string, (ready: ReadyFile) => number])[] = [
  ["nats-server", ({ nats }) => nats.pid],
  ["the control plane", ({ controlplanes }) => controlplanes[0]?.pid ?? 0],
  ["Envoy", ({ envoy }) => envoy.pid],
];
for (const [name, pidOf] of parts) {
  test(`${name} comes back after SIGKILL under calls, and nothing is lost`, (context) =>
    killUnderCalls(context, pidOf));
}

/** The ready file names a process that has died until its successor serves. */
async function everythingRuns(): Promise<void> {
  const isRunning = (pid: number): boolean => pid > 0 && commandOf(pid) !== undefined;
  await waitUntil(() => pidsOf(mesh.describe()).every(isRunning), "every part runs");
}

function isFeltFor(slowestCallMs: number, partAwayMs: number): void {
  const said = `a call took ${slowestCallMs} ms; what it needs was away for ${Math.round(partAwayMs)} ms`;
  assert.ok(slowestCallMs <= partAwayMs + attemptsMs, said);
}

async function killUnderCalls(context: TestContext, pidOf: (ready: ReadyFile) => number): Promise<void> {
  await everythingRuns();
  const earlier = mesh.describe();
  const pid = pidOf(earlier);
  const kills = { targets: [], killEveryMs: 1, seed: pid };
  const calling = counters(mesh, { clients: 8, sessions: 40, seconds: 2, ...kills }, () => undefined);
  const served = await mesh.stat("cluster.agents.upstream_rq_completed");
  await waitUntil(
    async () => (await mesh.stat("cluster.agents.upstream_rq_completed")) > served + callsBefore,
    `${callsBefore} calls have been answered`,
  );
  const killedMs = performance.now();
  signal(pid, "SIGKILL");
  await waitUntil(() => pidOf(mesh.describe()) !== pid, "its successor is named");
  await everythingRuns();
  const partAwayMs = performance.now() - killedMs;
  const result = await calling;
  context.diagnostic(JSON.stringify(result));
  assert.deepEqual([result.lost, result.doubled], [0, 0]);
  isFeltFor(result.slowestCallMs, partAwayMs);
  const now = mesh.describe();
  assert.notEqual(pidOf(now), pid);
  const others = (ready: ReadyFile): number[] => pidsOf(ready).filter((one) => one !== pidOf(ready));
  assert.deepEqual(others(now), others(earlier), "another part died too");
}
