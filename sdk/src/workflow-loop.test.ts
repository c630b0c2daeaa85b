// Bodies that go on, whatever their steps reject with: others run meanwhile.
import assert from "node:assert/strict";
import { test } from "node:test";
import { agent } from "./index.ts";
import { testMesh } from "./testing.ts";

for (const dies of [false, true])
  test(`a cancelled body that goes on after each error is undone${dies ? ", also when its node dies" : ""}`, async () => {
    const done: string[] = [];
    let turns = 0;
    const job = agent("job", {}).workflows({
      async work(wf) {
        await wf.run("charge", () => void done.push("charge"), { undo: () => void done.push("refund") });
        for (let at = 0; turns < 50_000; at += 1)
          try {
            turns += 1;
            await wf.run(`poll ${at}`, () => null);
            await wf.sleep(`pause ${at}`, "1h");
          } catch {
            // polls again
          }
        done.push("starved");
      },
    });
    await using mesh = await testMesh({ agents: [job] });
    const run = await mesh.workflows(job, "j").work.start();
    await mesh.advance("2h");
    if (dies) mesh.kill();
    await run.cancel();
    await mesh.advance("30s");
    assert.deepEqual([(await run.status()).phase, done], ["cancelled", ["charge", "refund"]]);
  });

test("a body that goes on after each step of a name that comes twice holds nobody up, and is cancelled", async () => {
  let turns = 0;
  const job = agent("job", {}).workflows({
    async work(wf) {
      for (; turns < 50_000; turns += 1)
        try {
          await wf.run("poll", () => null);
        } catch {
          // polls again
        }
      return "starved";
    },
  });
  await using mesh = await testMesh({ agents: [job] });
  const run = await mesh.workflows(job, "j").work.start();
  await mesh.advance("1s");
  assert.equal((await run.status()).phase, "running");
  await run.cancel();
  await mesh.advance("30s");
  assert.equal((await run.status()).phase, "cancelled");
});
