// A store as it was left on 2026-11-28 by the last version that wrote format 1 (b9ae837): `probe/awake` in
// the middle of its life, its node killed; `sleeper/asleep` and `pages/paged` asleep, the one with its
// snapshot in the fold, the other in pages.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { sessionToken } from "@voda/proto/session";
import { laneSubjects, logStream } from "@voda/proto/wire";
import { type Cluster, call, startCluster, waitUntil } from "./kit/index.ts";

const archive = fileURLToPath(new URL("../data/store-of-format-1.tar.gz", import.meta.url));
const storeDir = mkdtempSync(join(tmpdir(), "voda-format-1-"));
let cluster: Cluster;
let url: string;

before(async () => {
  execFileSync("tar", ["-C", storeDir, "-xzf", archive]);
  cluster = await startCluster({ nodes: 1, storeDir });
  url = cluster.nodes[0]?.url ?? "";
});
after(async () => {
  await cluster[Symbol.asyncDispose]();
  rmSync(storeDir, { recursive: true, force: true });
});

/** The version in the envelope of the session's last record. */
async function formatOf(agent: string, key: string): Promise<number | undefined> {
  await using nats = await cluster.nats.connect();
  const { fence } = laneSubjects(sessionToken({ namespace: "default", agent, key }));
  const last = await nats.request(
    `$JS.API.DIRECT.GET.${logStream(0)}`,
    JSON.stringify({ last_by_subj: fence }),
  );
  return last.data[4];
}

const body = async (path: string, input?: unknown): Promise<unknown> =>
  (await call(url, path, input === undefined ? {} : { input })).body;

test("what was acknowledged before is there, and the session goes on", async () => {
  assert.equal(await formatOf("probe", "awake"), 1);
  assert.deepEqual(await body("probe/awake/get"), { count: 7, name: "none" });
  assert.equal(await body("probe/awake/add", 3), 10);
});

test("a session that slept wakes from its fold, and its next fold is of the new format", async () => {
  assert.equal(await formatOf("sleeper", "asleep"), 1);
  assert.equal(await body("sleeper/asleep/get"), 20);
  assert.equal(await body("sleeper/asleep/add", 2), 22);
  await waitUntil(async () => (await formatOf("sleeper", "asleep")) === 2, "it is written anew");
  assert.equal(await body("sleeper/asleep/get"), 22);
});

test("a snapshot in pages is read", async () => {
  assert.equal(await body("pages/paged/size"), 12);
  assert.equal(await body("pages/paged/read", "k11"), "x".repeat(10_000));
  assert.equal(await body("pages/paged/write", { key: "new", text: "y" }), 13);
});
