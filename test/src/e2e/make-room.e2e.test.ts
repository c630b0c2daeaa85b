// A mesh whose GPUs are all held: idle sessions go to sleep so that a client that tries again gets in, busy
// ones never do.
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type GetPlacementCountersResponse, SessionStatus } from "@voda/proto/api";
import { createClient } from "voda/client";
import { type Api, connectApi } from "../../../cli/src/api.ts";
import type config from "../agents/gpu.config.ts";
import { call, programs, type RunningMesh, signal, startMesh, waitUntil } from "../kit/index.ts";

const configFile = fileURLToPath(new URL("../agents/gpu.config.ts", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "voda-gpus-"));
let mesh: RunningMesh;
let api: Api;

before(async () => {
  const gpusFile = join(folder, "gpus.json");
  const gpus = ["GPU-a", "GPU-b"].map((uuid) => ({
    uuid,
    model: "H200",
    memoryMib: 143_771,
    vendor: "nvidia",
  }));
  writeFileSync(gpusFile, JSON.stringify(gpus));
  mesh = await startMesh({
    command: [programs().cli, "up", "--config", configFile, "--gpus", gpusFile],
    nodes: 2,
  });
  api = connectApi(mesh.url);
});
after(async () => {
  await mesh[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

/** With the client's own retries; `attempts` where parts of the mesh are killed. */
const add = (key: string, attempts?: number): Promise<number> =>
  createClient<typeof config>({ url: mesh.url, ...(attempts !== undefined && { retry: { attempts } }) })
    .solo(key)
    .add(1);
const counters = (): Promise<GetPlacementCountersResponse> => api.placement.getPlacementCounters({});
async function awake(keys: readonly string[]): Promise<string[]> {
  const found = await Promise.all(
    keys.map(async (key) => (await api.sessions.getSession({ session: { agent: "solo", key } })).session),
  );
  return found.filter((one) => one?.status === SessionStatus.AWAKE).map((one) => one?.key ?? "");
}

test("a new session gets in within its client's retries, and the one that slept for it comes back with its state", async () => {
  for (const key of ["a", "b"]) assert.equal(await add(key), 1);
  assert.equal(await add("c"), 1);
  const { roomsMade, sleptForRoom } = await counters();
  assert.deepEqual([roomsMade, sleptForRoom], [1n, 1n]);
  await waitUntil(async () => (await awake(["a", "b", "c"])).length === 2, "two of three are awake");
  const [stayed = "", ...others] = await awake(["a", "b"]);
  assert.deepEqual(others, []);
  assert.equal(await add(stayed === "a" ? "b" : "a"), 2);
  assert.equal(await add(stayed), 2);
});

test("a session that works is never put to sleep, and gives way when it has rested", async () => {
  for (const key of ["d", "e"]) await add(key);
  const paths = ["d", "e"].map((key) => join(folder, key));
  const working = ["d", "e"].map((key, i) => call(mesh.url, `solo/${key}/addOnce`, { input: paths[i] }));
  await waitUntil(() => paths.every((path) => existsSync(`${path}.begun`)), "both work");
  const busyBefore = (await counters()).busyForRoom;
  const refused = async (): Promise<boolean> => {
    const { status } = await call(mesh.url, "solo/f/add", { input: 1 });
    assert.equal(status, 429, "solo/f got in while both GPUs were at work");
    return (await counters()).busyForRoom >= busyBefore + 2n;
  };
  await waitUntil(refused, "both were asked and said busy");
  for (const path of paths) writeFileSync(path, "");
  assert.deepEqual(
    (await Promise.all(working)).map(({ body }) => body),
    [2, 2],
  );
  assert.equal(await add("f"), 1);
});

test("a node that is killed while room is made costs nothing but time", async () => {
  for (const key of ["g", "h"]) assert.equal(await add(key), 1);
  const { session } = await api.sessions.getSession({ session: { agent: "solo", key: "g" } });
  const pid = mesh.describe().nodes.find(({ id }) => id === session?.node)?.pid;
  const earlier = (await counters()).roomsMade;
  const calling = Promise.all(["i", "j"].map((key) => add(key, 100)));
  await waitUntil(async () => (await counters()).roomsMade > earlier, "room was made");
  signal(pid, "SIGKILL");
  assert.deepEqual(await calling, [1, 1]);
  for (const key of ["g", "h", "i", "j"]) assert.equal(await add(key, 100), 2, key);
});
