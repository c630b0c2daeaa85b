// The mesh as `npm start` runs it: it comes up, keeps what it knows, and leaves nothing running however it
// ends.
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { configFolder } from "../../../cli/src/up/kept-config.ts";
import { call, programs, startMesh, waitUntil } from "../kit/index.ts";

const home = fileURLToPath(new URL("../../..", import.meta.url));
/** npm itself, with a shell between it and the mesh: what a container or a service manager signals. */
const npmStart = { program: "npm", command: ["--prefix", home, "start", "--"] };
/** SIGKILL reaches no further than the process that gets it: here the one that npm started. */
const started = { command: [join(home, "tools/start.ts")] };
const slowConfig = `import { agent } from "voda";
import { defineConfig } from "voda/config";
const { promise, resolve } = Promise.withResolvers();
setTimeout(resolve, 2_000);
await promise;
export default defineConfig({ agents: [agent("slow", {}).readonly({ answer: () => 42 })] });
`;

test("starts in a row on one folder keep its state, and end without a trace", async (context) => {
  const dataDir = mkdtempSync(join(tmpdir(), "voda-start-"));
  context.after(() => rmSync(dataDir, { recursive: true, force: true }));
  for (const [i, signal] of (["SIGTERM", "SIGINT", "SIGKILL"] as const).entries()) {
    const command = signal === "SIGKILL" ? started : npmStart;
    await using mesh = await startMesh({ ...command, dataDir, nodes: 1 });
    const offer = /voda call.*\n.*curl --json INPUT http:.*\n.*voda ps/;
    await waitUntil(() => offer.test(mesh.supervisor.output()), "three commands to try are printed");
    const added = await call(mesh.url, "counter/kept/add", { input: 1, id: `start-${i}` });
    assert.equal(added.body, i + 1);
    const again = await call(mesh.url, "counter/kept/add", { input: 1, id: "start-0" });
    assert.equal(again.body, 1, "the stored answer was lost");
    await mesh.close(signal);
  }
  assert.deepEqual(openToOthers(dataDir), []);
});

/** Folders and files of the mesh that another user of the machine may enter or read. */
function openToOthers(dataDir: string): string[] {
  const entries = readdirSync(dataDir, { recursive: true, withFileTypes: true });
  assert.ok(entries.some((entry) => entry.isDirectory() && entry.name === "bundles"));
  return entries
    .filter((entry) => entry.isDirectory() || entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => (statSync(path).mode & 0o077) !== 0);
}

test("a mesh that is ready knows its agents, however long they take to load", async (context) => {
  const folder = mkdtempSync(join(tmpdir(), "voda-slow-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const config = join(folder, "voda.config.ts");
  writeFileSync(config, slowConfig);
  const dataDir = join(folder, "data");
  const command = [programs().cli, "up", "--config", config];
  await using mesh = await startMesh({ command, dataDir, nodes: 1 });
  const called = await call(mesh.url, "slow/k/answer");
  assert.deepEqual([called.status, called.body], [200, 42]);
  assert.equal(configFolder(dataDir), folder, "`voda logs` tells places from there");
});
