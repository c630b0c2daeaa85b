// Sessions on GPUs through the whole mesh: two nodes of one machine that declares two GPUs; each session
// takes half of one.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { SessionStatus } from "@voda/proto/api";
import { connectApi } from "../../../cli/src/api.ts";
import { voda as runVoda } from "../kit/command-line.ts";
import {
  type Called,
  call,
  programs,
  type RunningMesh,
  refusal,
  signal,
  startMesh,
  waitUntil,
} from "../kit/index.ts";

const config = fileURLToPath(new URL("../agents/gpu.config.ts", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "voda-gpus-"));
const gpusFile = join(folder, "gpus.json");
let mesh: RunningMesh;

before(async () => {
  const gpus = ["GPU-a", "GPU-b"].map((uuid) => ({
    uuid,
    model: "H200",
    memoryMib: 143_771,
    vendor: "nvidia",
  }));
  writeFileSync(gpusFile, JSON.stringify(gpus));
  mesh = await startMesh({
    command: [programs().cli, "up", "--config", config, "--gpus", gpusFile, "--zones", "eu-1,eu-2"],
    nodes: 2,
  });
});
after(async () => {
  await mesh[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

/** Of nodes and of the control plane alike: the reason is in the ErrorInfo, whose text parts are plain. */
function reasonOf({ body }: Called): string | undefined {
  const { details } = body as { details?: { type: string; value: string }[] };
  const info = details?.find(({ type }) => type === "google.rpc.ErrorInfo")?.value ?? "";
  return /[a-z_]+(?=\W*voda\.dev)/.exec(Buffer.from(info, "base64").toString("latin1"))?.[0];
}
const voda = (...args: string[]) => runVoda(mesh.url, ...args);
const add = (key: string): Promise<Called> => call(mesh.url, `model/${key}/add`, { input: 1 });
/** Thousandths of GPUs that the control plane has on its books, per node. */
const allocated = async (): Promise<number[]> => {
  const { nodes } = await connectApi(mesh.url).nodes.listNodes({});
  return nodes.map((node) => node.allocated?.gpuMilli ?? 0);
};
const settles = (milli: readonly number[], what: string): Promise<unknown> =>
  waitUntil(async () => JSON.stringify(await allocated()) === JSON.stringify(milli), what);

test("two sessions fill each GPU, and the next is refused with a reason to act on", async () => {
  for (const key of ["k0", "k1", "k2", "k3"]) assert.equal((await add(key)).body, 1);
  await settles([1000, 1000], "both GPUs are full");
  // before anybody is put to sleep for another, and comes back to the one place that is left
  placed = await explain("k1");
  const refused = await add("k4");
  assert.equal(refused.status, 429);
  assert.equal(reasonOf(refused), "no_capacity");
  assert.match(
    refusal(refused).message ?? "",
    /^none of 2 nodes has room now \(gpu_\w+: 2\); nearest is n[12]: gpu_\w+ wanted \d+, free 0$/,
  );
  await allHold();
});

/** The decision on `k1`. */
let placed: Explained;
const held = ["k0", "k1", "k2", "k3"];
/** Whoever wanted room meanwhile may have put some of them to sleep. */
async function allHold(keys = held): Promise<void> {
  const doRun = async (): Promise<boolean> => {
    const called = await Promise.all(keys.map(add));
    return (
      called.every(({ status }) => status === 200) && JSON.stringify(await allocated()) === "[1000,1000]"
    );
  };
  await waitUntil(doRun, "all four run, each on its half");
}

/**
 * The control plane hears of a session that has just run a moment later, and puts only what it knows to
 * sleep.
 */
async function putToSleep(key: string): Promise<void> {
  const { sessions } = connectApi(mesh.url);
  const session = { agent: "model", key };
  const isAwake = async (): Promise<boolean> =>
    (await sessions.getSession({ session })).session?.status === SessionStatus.AWAKE;
  await waitUntil(isAwake, `${key} is known to be awake`);
  await sessions.sleepSession({ session });
}

interface Explained {
  readonly node?: string;
  readonly policy: string;
  readonly nodes: number;
  readonly devices?: { uuid: string; milli: number; memoryMib: number }[];
  readonly candidates?: { node: string; score: number[] }[];
  readonly failed?: Record<string, number>;
  readonly nearest?: { node: string };
}
const explain = async (key: string): Promise<Explained> =>
  JSON.parse((await voda("explain", "placement", `model/${key}`, "--json")).stdout) as Explained;

test("voda explains why a session is on its GPU, and why another is on none", async () => {
  assert.deepEqual(
    [placed.nodes, placed.devices?.length, placed.devices?.[0]?.milli, placed.devices?.[0]?.memoryMib],
    [2, 1, 500, 1000],
  );
  assert.deepEqual(
    placed.candidates?.map(({ node }) => node),
    [placed.node, placed.node === "n1" ? "n2" : "n1"],
  );
  const refused = await explain("k4");
  assert.equal(refused.node ?? "", "");
  assert.equal(
    Object.values(refused.failed ?? {}).reduce((sum, count) => sum + count, 0),
    2,
  );
  assert.match(refused.nearest?.node ?? "", /^n[12]$/);
  assert.match(
    (await voda("explain", "placement", "model/k1")).stdout,
    /^model\/k1 \(now \w+\); last decision, by bpf at \S+: placed on n[12]\n/,
  );
  const unknown = await voda("explain", "placement", "model/nobody");
  assert.equal(unknown.code, 3);
  assert.match(unknown.stderr, /nothing of model\/nobody is stored yet/);
});

test("voda top shows what is taken of each GPU, and the counters", async () => {
  await allHold();
  const { nodes, placement } = JSON.parse((await voda("top", "--json")).stdout) as {
    nodes: { devices: { allocatedMilli: number; sessions: number }[] }[];
    placement: { decisions: string; refusals: Record<string, string>; strandedGpuMilli: number };
  };
  assert.deepEqual(
    nodes.flatMap(({ devices }) => devices.map((one) => [one.allocatedMilli, one.sessions])),
    [
      [1000, 2],
      [1000, 2],
    ],
  );
  assert.ok(Number(placement.decisions) >= 5 && Object.values(placement.refusals).length > 0);
  assert.equal(placement.strandedGpuMilli, 0);
  const { stdout: screen } = await voda("top", "--once");
  assert.match(screen, /^n2 +eu-2 +yes +\d+ /m);
  assert.match((await voda("ps", "--nodes")).stdout, /^n1 +eu-1 +yes +127/m);
  assert.match(screen, /^GPU-a +n1 +H200 +2 +100 % +2000 of 143771 MiB$/m);
});

test("a session that sleeps frees its half, and makes room for itself when it wakes", async () => {
  const earlier = Number((await add("k0")).body);
  await putToSleep("k0");
  await allHold(["k1", "k2", "k3", "k4"]);
  assert.equal(reasonOf(await add("k0")), "no_capacity");
  await waitUntil(async () => (await add("k0")).body === earlier + 1, "k0 woke with its state");
});

test("a control plane that is killed overbooks nothing when it is back", async () => {
  const pid = mesh.describe().controlplanes[0]?.pid;
  signal(pid, "SIGKILL");
  const isBack = async (): Promise<boolean> => {
    const now = mesh.describe().controlplanes[0]?.pid;
    // Without the control plane nobody places it, with a new one it finds room only when another sleeps.
    const answered = await add("k5");
    if (answered.status === 200) return true;
    assert.equal(reasonOf(answered), "no_capacity", JSON.stringify(answered.body));
    return (
      now !== 0 && now !== pid && (refusal(answered).message ?? "").startsWith("none of 2 nodes has room now")
    );
  };
  await waitUntil(isBack, "the new control plane refuses");
  assert.ok((await allocated()).every((milli) => milli <= 1000));
  await allHold();
});

test("a node that is killed gives its GPU back, and its sessions find room elsewhere or there again", async () => {
  const node = mesh.describe().nodes[0];
  signal(node?.pid, "SIGKILL");
  await settles([0, 1000], "the killed node's GPU is free");
  await allHold();
  assert.equal(reasonOf(await add("k6")), "no_capacity");
});
