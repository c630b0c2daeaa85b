// `voda dev`: a saved file is the new behaviour, the state stays, and nobody notices the change.
import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type Called, call, programs, startMesh, waitUntil } from "../kit/index.ts";

/** `loads` grows by a byte when the command loads it, and not when a node does. */
const source = (step: number, loads: string): string => `import { agent, s } from "voda";
import { defineConfig } from "voda/config";
import { appendFileSync } from "node:fs";
import { isMainThread } from "node:worker_threads";
if (isMainThread) appendFileSync(${JSON.stringify(loads)}, ".");
const tally = agent("tally", { count: s.counter() })
  .readonly({ get: (ctx) => ctx.state.count.value, step: () => ${step} })
  .handlers({ bump: (ctx) => ctx.state.count.add(${step}) });
export default defineConfig({ agents: [tally] });
`;

test("an edit is the new behaviour of sessions that are awake, without a failed call", async (context) => {
  const folder = mkdtempSync(join(tmpdir(), "voda-dev-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "voda.config.ts");
  const loads = join(folder, "loads");
  const save = (step: number): void => writeFileSync(file, source(step, loads));
  writeFileSync(file, "export default defineConfig({ agents: [");
  await using mesh = await startMesh({ command: [programs().cli, "dev", "--config", file], nodes: 1 });
  const deployments = (): number =>
    mesh.supervisor.output().match(/deployed tally as [0-9a-f]{12} in /g)?.length ?? 0;
  assert.match(
    mesh.supervisor.output(),
    /^voda: not deployed, the next save tries again: .*voda\.config\.ts:1:/m,
  );
  save(1);
  await waitUntil(() => deployments() === 1, "the mistake that it started with is mended");

  const failed: Called[] = [];
  const bumps = { one: 0, thousand: 0 };
  const enough = new AbortController();
  const caller = async (key: string): Promise<void> => {
    for (let last = 0; !enough.signal.aborted; ) {
      const called = await call(mesh.url, `tally/${key}/bump`);
      if (called.status !== 200) failed.push(called);
      const step = Number(called.body) - last;
      assert.ok(step === 1 || step === 1000, `a bump went from ${last} to ${String(called.body)}`);
      last += step;
      bumps[step === 1 ? "one" : "thousand"] += 1;
    }
  };
  const callers = Promise.all(["a", "b", "c", "d"].map(caller));
  await waitUntil(() => bumps.one > 50, "the first revision is called");
  save(1000);
  await waitUntil(() => bumps.thousand > 50, "the second revision is called");
  enough.abort();
  await callers;
  assert.deepEqual(failed, []);
  await waitUntil(() => deployments() === 2, "the second revision is told");

  const loaded = readFileSync(loads).length;
  save(1000); // a save that changes nothing is no news
  await waitUntil(() => readFileSync(loads).length > loaded, "the save is seen");
  writeFileSync(file, "export default defineConfig({ agents: [");
  await waitUntil(
    () => mesh.supervisor.output().includes("not deployed, the code before goes on: "),
    "the mistake is told",
  );
  assert.equal((await call(mesh.url, "tally/a/step")).body, 1000);
  assert.equal(deployments(), 2);

  save(1000);
  await waitUntil(() => deployments() === 3, "it is told that the mistake is mended");

  // it loads in the process that reads the agents, and in no node
  appendFileSync(file, 'if (!isMainThread) throw new Error("in a thread");\n');
  await waitUntil(() => mesh.supervisor.output().includes("in a thread"), "the reason of the node is told");
  save(1000);
  await waitUntil(() => deployments() === 4, "the next save is deployed");
  const told = mesh.supervisor
    .output()
    .split("\n")
    .filter((line) => line.includes("in a thread"));
  assert.equal(told.length, 1, told.join("\n"));
  assert.match(
    told[0] ?? "",
    /^voda: not deployed, .*: on node n1: Error: in a thread at voda\.config\.ts:10:/,
  );
});
