// Gangs through the whole mesh: all members awake on GPUs of their own, or none of them.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Session, SessionStatus } from "@voda/proto/api";
import { type Api, connectApi } from "../../../cli/src/api.ts";
import { voda as runVoda } from "../kit/command-line.ts";
import { call, freeze, programs, type RunningMesh, signal, startMesh, waitUntil } from "../kit/index.ts";

const config = fileURLToPath(new URL("../agents/gpu.config.ts", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "voda-gpus-"));
let mesh: RunningMesh;
let api: Api;

before(async () => {
  const gpusFile = join(folder, "gpus.json");
  const gpus = ["a", "b", "c", "d"].map((id) => ({
    uuid: `GPU-${id}`,
    model: "H200",
    memoryMib: 143_771,
    vendor: "nvidia",
  }));
  writeFileSync(gpusFile, JSON.stringify(gpus));
  mesh = await startMesh({
    command: [programs().cli, "up", "--config", config, "--gpus", gpusFile],
    nodes: 2,
  });
  api = connectApi(mesh.url);
});
after(async () => {
  await mesh[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const voda = (...args: string[]) => runVoda(mesh.url, ...args);
const keys = (count: number, prefix: string): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}${i}`);
const refs = (names: readonly string[]): { agent: string; key: string }[] =>
  names.map((key) => ({ agent: "solo", key }));
const found = (names: readonly string[]): Promise<(Session | undefined)[]> =>
  Promise.all(refs(names).map(async (session) => (await api.sessions.getSession({ session })).session));
const awake = async (names: readonly string[]): Promise<number> =>
  (await found(names)).filter((session) => session?.status === SessionStatus.AWAKE).length;
/** Thousandths of GPUs that the control plane has on its books, per ready node. */
const allocated = async (): Promise<number[]> => {
  const { nodes } = await api.nodes.listNodes({});
  return nodes.filter(({ ready }) => ready).map((node) => node.allocated?.gpuMilli ?? 0);
};
const settles = (milli: readonly number[], what: string): Promise<unknown> =>
  waitUntil(async () => JSON.stringify(await allocated()) === JSON.stringify(milli), what);

test("a gang that fits is all awake, each member on a GPU of its own", async () => {
  const names = keys(4, "fits");
  const { sessions } = JSON.parse(
    (await voda("wake", ...names.map((key) => `solo/${key}`), "--json")).stdout,
  ) as {
    sessions: { key: string; status: string; node: string }[];
  };
  assert.deepEqual(
    sessions.map(({ key, status }) => [key, status]),
    names.map((key) => [key, "SESSION_STATUS_AWAKE"]),
  );
  await settles([2000, 2000], "all GPUs are on the books");
  assert.equal(await awake(names), 4);
  for (const key of names) assert.equal((await call(mesh.url, `solo/${key}/add`, { input: 1 })).body, 1);
  assert.match(
    (await voda("wake", "solo/fits0", "solo/fits1")).stdout,
    /^solo\/fits0 is awake on n[12]\nsolo\/fits1 is awake on n[12]\n$/,
  );
  for (const session of refs(names)) await api.sessions.sleepSession({ session });
  await settles([0, 0], "the GPUs are free again");
});

test("a gang that does not fit is refused by the name of a member, and leaves nothing behind", async () => {
  const names = keys(5, "large");
  const refused = await voda("wake", ...names.map((key) => `solo/${key}`));
  assert.equal(refused.code, 1);
  assert.match(
    refused.stderr,
    /^voda: resource_exhausted: solo\/large\d found no place beside the others: none of 2 nodes /,
  );
  assert.deepEqual([await allocated(), await awake(names)], [[0, 0], 0]);
});

test("members that were awake before stay so when the gang is refused", async () => {
  const [early = "", ...late] = keys(5, "early");
  assert.equal((await call(mesh.url, `solo/${early}/add`, { input: 1 })).body, 1);
  await waitUntil(async () => (await awake([early])) === 1, "it is known to be awake");
  await assert.rejects(
    api.sessions.wakeSessions({ sessions: refs([early, ...late]) }),
    /found no place beside the others/,
  );
  assert.deepEqual([await awake([early]), await awake(late)], [1, 0]);
  await api.sessions.sleepSession({ session: { agent: "solo", key: early } });
  await settles([0, 0], "the GPU is free again");
});

test("a node that is killed in the middle leaves no member awake, and the gang is whole when there is room again", async () => {
  const names = keys(4, "killed");
  const pid = mesh.describe().nodes[1]?.pid ?? 0;
  // Frozen, it takes its commands and carries none out: the others are awake when it dies.
  await freeze(pid);
  const waking = api.sessions.wakeSessions({ sessions: refs(names) });
  const failed = assert.rejects(
    waking,
    /solo\/killed\d was not woken on n2: .*those that this call woke sleep again/,
  );
  await waitUntil(async () => (await awake(names)) === 2, "the members on the other node are awake");
  signal(pid, "SIGKILL");
  await failed;
  await waitUntil(async () => (await awake(names)) === 0, "no member is awake");
  await settles([0, 0], "both nodes are there and free");
  const { sessions } = await api.sessions.wakeSessions({ sessions: refs(names) });
  assert.ok(sessions.every(({ status }) => status === SessionStatus.AWAKE));
  for (const key of names) assert.equal((await call(mesh.url, `solo/${key}/add`, { input: 1 })).body, 1);
});
