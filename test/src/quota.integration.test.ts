// `voda quota` against a control plane of its own, as users type it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { voda } from "./kit/command-line.ts";
import { type Cluster, startCluster } from "./kit/index.ts";

let cluster: Cluster;

before(async () => {
  cluster = await startCluster({ nodes: 1 });
});
after(() => cluster[Symbol.asyncDispose]());

const linesOf = (text: string): string[] => text.split("\n").slice(0, -1);
async function quota(...args: string[]): Promise<{ code: number; out: string[]; err: string[] }> {
  const { code, stdout, stderr } = await voda(cluster.apiUrl, "quota", ...args);
  return { code, out: linesOf(stdout), err: linesOf(stderr) };
}

test("quotas are set, listed and deleted, in words and as JSON", async () => {
  assert.deepEqual(await quota("ls"), { code: 0, out: ["no quotas"], err: [] });
  const set = await quota(
    "set",
    "team",
    "--sessions",
    "10",
    "--cpu-milli",
    "1500",
    "--memory-mib",
    "64",
    "--gpu-milli",
    "500",
  );
  assert.deepEqual(set, {
    code: 0,
    out: ["namespace team may take 10 sessions, 1.5 cores, 64 MiB, 0.5 GPUs"],
    err: ["voda: no agent is deployed in namespace team"],
  });
  const one = await quota("set", "default", "--sessions", "1", "--cpu-milli", "1000");
  assert.deepEqual(one.out, ["namespace default may take 1 session, 1 core"]);
  const none = await quota("set", "default", "--sessions", "0", "--json");
  assert.deepEqual(JSON.parse(none.out.join("")), { namespace: "default", sessions: 0 });
  const { out } = await quota("ls");
  assert.deepEqual(out.join("\n").split("\n"), [
    "NAMESPACE  SESSIONS  CPU       MEMORY        GPU",
    "default    0 of 0    0 of any  0 of any MiB  0 of any",
    "team       0 of 10   0 of 1.5  0 of 64 MiB   0 of 0.5",
  ]);
  const { quotas } = JSON.parse((await quota("ls", "--json")).out.join("")) as { quotas: object[] };
  assert.deepEqual(quotas[0], {
    quota: { namespace: "default", sessions: 0 },
    used: { sessions: 0, cpuMilli: 0, memoryMib: 0, gpuMilli: 0 },
  });
  assert.deepEqual(await quota("delete", "team"), {
    code: 0,
    out: ["namespace team is not limited any more"],
    err: [],
  });
  assert.deepEqual((await quota("delete", "default", "--json")).out, ['{"deleted":"default"}']);
  assert.deepEqual((await quota("ls")).out, ["no quotas"]);
});

test("a quota that is not there cannot be deleted: exit code 3 and one line that says how to find those that are", async () => {
  assert.deepEqual(await quota("delete", "nobody"), {
    code: 3,
    out: [],
    err: ['voda: namespace "nobody" has no quota; `npx voda quota ls` lists those that have one'],
  });
});
