// Waits that have lost a race: what comes next is not theirs alone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { agent, s, signal, VodaError } from "./index.ts";
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
    const first = await Promise.race([wf.wait(a), wf.sleep("limit", "1s").then(() => "late")]);
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
      await mesh.advance("5s");
      assert.deepEqual((await run.status()).waitsFor, ["a"]);
      await run.signal(a, 7);
      await mesh.advance("5s");
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

test("waits for one signal that are open together have it together, and each its own time", async () => {
  await using mesh = await testMesh({ agents: [select] });
  const { times } = mesh.workflows(select, "s");
  const [come, never] = [await times.start(), await times.start()];
  await mesh.advance("2m");
  assert.deepEqual((await come.status()).waitsFor, ["a"]);
  await come.signal(a, 1);
  await mesh.advance("2h");
  assert.deepEqual(await come.result(), ["wait_timeout", 1]);
  assert.deepEqual(await never.result(), ["wait_timeout", "wait_timeout"]);
  assert.deepEqual(
    mesh.log.filter(({ level }) => level === "warn"),
    [],
  );
});

const ticks = async (count: number): Promise<void> => {
  for (let at = 0; at < count; at += 1) await new Promise(setImmediate);
};

/** Bodies in which a wait begins while another one for its signal is open, and what both have matters. */
const joined = agent("joined", { did: s.register<string[]>([]) }).workflows({
  async branches(wf, outside: string) {
    const branch = async (name: string): Promise<void> => {
      await wf.wait(a);
      await wf.run(`charge ${name}`, () => void done.push(`${outside} ${name}`), {
        undo: () => void done.push(`undo ${name}`),
      });
    };
    await Promise.all([branch("A"), branch("B")]);
    await wf.sleep("long", "10d");
  },
  async kept(wf) {
    const did = (what: string) => (state: { did: readonly string[] }) => {
      state.did = [...state.did, what];
    };
    const called = wf.wait(a).then(() => "called off");
    await wf.wait(a);
    const first = await Promise.race([called, wf.tx("ship", () => "shipped")]);
    await wf.tx(first, did(first));
    await wf.wait(b);
  },
  async beside(wf, count: number) {
    void wf.wait(a);
    await ticks(count);
    return wf.wait(a, { timeout: "1h" }).catch((error: unknown) => VodaError.from(error).reason);
  },
  async both(wf) {
    const [x, y] = await Promise.all([wf.wait(a), wf.wait(b)]);
    const acted = await wf.run(`act on ${y}`, () => y);
    return [x, y, acted, await wf.wait(b)];
  },
  async rounds(wf, count: number) {
    for (let at = 0; at < count; at += 1) {
      wf.log.info(`round ${at}`);
      await Promise.race([wf.wait(a), wf.sleep(`tick ${at}`, "1s")]);
    }
    return wf.wait(a, { timeout: "1m" }).catch((error: unknown) => VodaError.from(error).reason);
  },
  async loop(wf, count: number) {
    for (let at = 0; at < count; at += 1) assert.equal(await wf.wait(a), at);
    return count;
  },
});
const done: string[] = [];

test("what two branches did after one signal is undone for both, also after a death", async () => {
  await using mesh = await testMesh({ agents: [joined] });
  done.length = 0;
  const run = await mesh.workflows(joined, "s").branches.start("charge");
  await mesh.settle();
  await run.signal(a, 1);
  await mesh.settle();
  mesh.kill();
  await run.cancel();
  await mesh.advance("1m");
  assert.equal((await run.status()).error?.message, `workflow "${run.id}" was cancelled`);
  assert.deepEqual(done.toSorted(), ["charge A", "charge B", "undo A", "undo B"]);
});

test("a promise that is kept while its signal comes for a later wait goes the same way after a death", async () => {
  for (let seed = 1; seed < 10; seed += 1) {
    await using mesh = await testMesh({ agents: [joined], seed });
    const run = await mesh.workflows(joined, "s").kept.start();
    await mesh.settle();
    await run.signal(a, 1);
    await mesh.settle();
    mesh.kill();
    await run.signal(b, 1);
    await mesh.advance("1m");
    assert.equal((await run.status()).phase, "done");
    assert.equal(mesh.state(joined, "s").did.length, 1);
  }
});

test("a wait whose time begins beside the steps is over in time, however often its node dies", async () => {
  for (const count of [0, 5, 6, 7, 50]) {
    await using mesh = await testMesh({ agents: [joined] });
    const run = await mesh.workflows(joined, "s").beside.start(count);
    await ticks(2 * count + 20);
    await mesh.advance("35m");
    mesh.kill();
    await mesh.advance("1s");
    await ticks(2 * count + 20);
    await mesh.advance("35m");
    assert.equal((await run.status()).result, "wait_timeout", `${count} ticks`);
  }
});

test("signals that come as their session wakes are each had once", async () => {
  for (const leave of ["sleep", "kill"] as const) {
    await using mesh = await testMesh({ agents: [joined] });
    const run = await mesh.workflows(joined, "s").both.start();
    await mesh.settle();
    if (leave === "kill") mesh.kill();
    else await mesh.sleep(joined, "s");
    await run.signal(a, 1);
    await run.signal(b, 1);
    await run.signal(b, 2);
    await mesh.advance("1m");
    assert.deepEqual(await run.result(), [1, 1, 1, 2]);
  }
});

test("a body that waits again as its last wait was noted goes on", async () => {
  for (let seed = 1; seed < 40; seed += 1) {
    await using mesh = await testMesh({ agents: [joined], seed });
    const run = await mesh.workflows(joined, "s").loop.start(10);
    for (let at = 0; at < 10; at += 1) await run.signal(a, at);
    await mesh.advance("1m");
    assert.equal((await run.status()).result, 10, `seed ${seed}`);
  }
});

test("many lost races are one wait, whose end is told once, as is what the body logs", async () => {
  await using mesh = await testMesh({ agents: [joined] });
  const run = await mesh.workflows(joined, "s").rounds.start(100);
  await mesh.advance("50s");
  mesh.kill();
  await mesh.advance("3m");
  assert.equal(await run.result(), "wait_timeout");
  const lines = mesh.log.map(({ level, message }) => `${level} ${message}`);
  assert.deepEqual(
    lines.filter((line) => line.includes("round")),
    Array.from({ length: 100 }, (_, at) => `info round ${at}`),
  );
  assert.deepEqual(
    lines.filter((line) => line.startsWith("warn")),
    [],
  );
});
