// Bodies that go on, whatever their steps reject with: others run meanwhile.
import assert from "node:assert/strict";
import { test } from "node:test";
import { agent, s, signal, type WorkflowCtx } from "./index.ts";
import { testMesh } from "./testing.ts";

for (const [loops, dies] of [
  [1, false],
  [1, true],
  [3, false],
] as const)
  test(`a cancelled body of ${loops} loops that go on after each error is undone${dies ? ", also when its node dies" : ""}`, async () => {
    const done: string[] = [];
    let turns = 0;
    const job = agent("job", {}).workflows({
      async work(wf) {
        await wf.run("charge", () => void done.push("charge"), { undo: () => void done.push("refund") });
        const poll = async (name: string): Promise<void> => {
          for (let at = 0; turns < 50_000; at += 1)
            try {
              turns += 1;
              await wf.run(`poll ${name} ${at}`, () => null);
              await wf.sleep(`pause ${name} ${at}`, "1h");
            } catch {
              // polls again
            }
          done.push("starved");
        };
        await Promise.all(["a", "b", "c"].slice(0, loops).map(poll));
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

const untyped = (value: unknown): never => value as never;
const fields = { n: s.counter() };
type Refused = (wf: WorkflowCtx<typeof fields>, at: number) => Promise<unknown>;
const go = signal("go");

for (const [what, refused] of [
  ["a name that comes twice", (wf) => wf.run("poll", () => null)],
  ["a name too long", (wf, at) => wf.run("s".repeat(200) + at, () => null)],
  ["an unknown option", (wf, at) => wf.run(`poll ${at}`, () => null, untyped({ atempts: 3 }))],
  ["no attempts", (wf, at) => wf.run(`poll ${at}`, () => null, { retry: { attempts: 0 } })],
  ["no function", (wf, at) => wf.tx(`poll ${at}`, untyped(5))],
  ["no duration", (wf, at) => wf.sleep(`poll ${at}`, untyped("5 q"))],
  ["a timeout that is none", (wf) => wf.wait(go, { timeout: untyped("5 q") })],
  ["no signal", (wf) => wf.wait(untyped("go"))],
] satisfies (readonly [string, Refused])[])
  test(`a body that goes on after each refusal of ${what} holds nobody up, and is cancelled`, async () => {
    let turns = 0;
    const job = agent("job", fields).workflows({
      async work(wf) {
        for (; turns < 50_000; turns += 1)
          try {
            await refused(wf, turns);
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
