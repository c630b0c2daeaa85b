// Quotas through the whole mesh: what a namespace may have awake at once, and what a call over it is told.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { connectApi } from "../../../cli/src/api.ts";
import { voda as runVoda } from "../kit/command-line.ts";
import { type Called, call, type RunningMesh, refusal, startMesh, waitUntil } from "../kit/index.ts";

let mesh: RunningMesh;

before(async () => {
  mesh = await startMesh({ nodes: 2 });
});
after(() => mesh[Symbol.asyncDispose]());

/** Its lines, after its exit code. */
async function voda(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runVoda(mesh.url, ...args);
  return `${code}\n${stdout}${stderr}`.trimEnd();
}
const add = (key: string): Promise<Called> => call(mesh.url, `counter/${key}/add`, { input: 1 });
/** The control plane hears of what has just run or fallen asleep a moment later. */
const used = (sessions: number): Promise<unknown> =>
  waitUntil(
    async () => (await connectApi(mesh.url).quotas.getQuota({})).used?.sessions === sessions,
    `${sessions} sessions count`,
  );
const message =
  "namespace default uses 2 of its quota of 2 sessions and asks for 1 more; put sessions to sleep, or raise it with `voda quota set`";
function isRefused(called: Called): void {
  const { details } = called.body as { details?: { type: string; value: string }[] };
  const info = details?.find(({ type }) => type === "google.rpc.ErrorInfo")?.value ?? "";
  assert.deepEqual([called.status, refusal(called).message], [429, message]);
  assert.match(Buffer.from(info, "base64").toString("latin1"), /namespace_quota/);
}

test("a session over the quota is refused with the numbers, and accepted when another sleeps", async () => {
  assert.equal(
    await voda("quota", "set", "default", "--sessions", "2"),
    "0\nnamespace default may take 2 sessions",
  );
  assert.equal((await add("a")).body, 1);
  assert.equal((await add("b")).body, 1);
  await used(2);
  isRefused(await add("c"));
  assert.equal((await add("a")).body, 2, "a session that is awake goes on");
  await voda("sleep", "counter/a");
  await used(1);
  assert.equal((await add("c")).body, 1);
});

test("a session that wakes is counted again, also when it is woken without a call", async () => {
  await used(2);
  isRefused(await add("a"));
  assert.equal(await voda("wake", "counter/a"), `1\nvoda: resource_exhausted: ${message}`);
  await voda("sleep", "counter/b");
  await used(1);
  assert.equal((await add("a")).body, 3);
});

test("a quota that is lowered puts nobody to sleep, and one that is gone refuses nobody", async () => {
  await used(2);
  await voda("quota", "set", "default", "--sessions", "1");
  assert.equal((await add("a")).body, 4);
  assert.equal((await add("c")).body, 2);
  assert.match(refusal(await add("b")).message ?? "", /^namespace default uses 2 of its quota of 1 sessions/);
  assert.match(await voda("quota", "ls"), /^default +2 of 1 /m);
  await voda("quota", "delete", "default");
  assert.equal((await add("b")).body, 2);
});
