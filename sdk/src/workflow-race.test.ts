// Waits that have lost a race: what comes next is not theirs alone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { agent, signal, VodaError } from "./index.ts";
import { explore, testMesh } from "./testing.ts";

const a = signal<number>("a");
const b = signal<number>("b");

const select = agent("select").workflows({
  async all(wf, count: number) {
    const seen: string[] = [];
    while (seen.length < count)
      seen.push(await Promise.race([wf.wait(a).then((x) => `a${x}`), wf.wait(b).then((x) => `b${x}`)]));
    return seen;
  },
  async late(wf) {
    const first = await Promise.race([wf.wait(a), wf.sleep("limit", "1m").then(() => "late")]);
    return `${first}, then ${await wf.wait(a, { timeout: "2d" })}`;
  },
  async times(wf) {
    const first = wf.wait(a, { timeout: "1m" }).catch((error: unknown) => VodaError.from(error).reason);
    const second = wf.wait(a, { timeout: "1h" }).catch((error: unknown) => VodaError.from(error).reason);
    return [await first, await second];
  },
});

const ofName = (name: string, seen: readonly string[]) => seen.filter((one) => one.startsWith(name));

test("each signal of a loop that races two waits is seen once, and in the order of its name", async () => {
  await using mesh = await testMesh({ agents: [select] });
  const { all } = mesh.workflows(select, "s");
  const apart = await all.start(8);
  await mesh.settle();
  for (const [name, x] of [
    [b, 1],
    [a, 1],
    [a, 2],
    [b, 2],
  ] as const) {
    await apart.signal(name, x);
    await mesh.settle();
  }
  for (const [name, x] of [
    [b, 3],
    [a, 3],
    [a, 4],
    [b, 4],
  ] as const)
    await apart.signal(name, x);
  await mesh.settle();
  const seen = await apart.result();
  assert.deepEqual(seen.slice(0, 4), ["b1", "a1", "a2", "b2"]);
  assert.deepEqual(ofName("a", seen), ["a1", "a2", "a3", "a4"]);
  assert.deepEqual(ofName("b", seen), ["b1", "b2", "b3", "b4"]);
});

test("wherever the node dies, a wait that has lost to a sleep does not keep the signal from the next", async () => {
  const { runs } = await explore(
    async (mesh) => {
      const run = await mesh.workflows(select, "s").late.start(undefined, { id: "l" });
      await mesh.settle();
      await mesh.advance("61s");
      assert.deepEqual((await run.status()).waitsFor, ["a"]);
      await run.signal(a, 7);
      await mesh.advance("1m");
      assert.equal(await run.result(), "late, then 7");
    },
    { agents: [select], seeds: 1, kills: "every step" },
  );
  assert.ok(runs > 20, `${runs} runs`);
});

test("wherever the node dies, a loop that races two waits sees each signal once", async () => {
  const { runs } = await explore(
    async (mesh) => {
      const run = await mesh.workflows(select, "s").all.start(4, { id: "l" });
      for (const [name, x] of [
        [b, 1],
        [a, 1],
      ] as const)
        await run.signal(name, x);
      await mesh.settle();
      for (const [name, x] of [
        [b, 2],
        [a, 2],
      ] as const)
        await run.signal(name, x);
      await mesh.advance("1m");
      const seen = await run.result();
      assert.deepEqual(ofName("a", seen), ["a1", "a2"]);
      assert.deepEqual(ofName("b", seen), ["b1", "b2"]);
    },
    { agents: [select], seeds: 1, kills: "every step" },
  );
  assert.ok(runs > 20, `${runs} runs`);
});

test("waits for one signal that are open together have it together, and the time of the last", async () => {
  await using mesh = await testMesh({ agents: [select] });
  const { times } = mesh.workflows(select, "s");
  const [come, never] = [await times.start(), await times.start()];
  await mesh.advance("2m");
  await come.signal(a, 1);
  await mesh.advance("2h");
  assert.deepEqual(await come.result(), [1, 1]);
  assert.deepEqual(await never.result(), ["wait_timeout", "wait_timeout"]);
});
