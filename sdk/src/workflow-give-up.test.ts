// Waits and sleeps that a body gives up by an AbortSignal.
import assert from "node:assert/strict";
import { test } from "node:test";
import { agent, signal, VodaError } from "./index.ts";
import { explore, testMesh } from "./testing.ts";

const paid = signal<number>("paid");
const shut = signal<number>("shut");
const reasonOf = (error: unknown): string => {
  const { code, reason } = VodaError.from(error);
  return `${code} ${reason}`;
};

const shop = agent("shop", {}).workflows({
  /** Reminds whoever has not paid in time, a step that takes a while, and waits again. */
  async remind(wf) {
    const late = new AbortController();
    const first = await Promise.race([
      wf.wait(paid, { signal: late.signal }),
      wf.sleep("limit", "1s").then(() => "late"),
    ]);
    late.abort();
    await wf.sleep("remind", "2s");
    return `${first}, then ${await wf.wait(paid, { timeout: "2d" })}`;
  },
  async told(wf) {
    const over = new AbortController();
    const wait = wf.wait(paid, { signal: over.signal, timeout: "1h" }).catch(reasonOf);
    const sleep = wf.sleep("nap", "1h", { signal: over.signal }).catch(reasonOf);
    await wf.sleep("first", "1m");
    over.abort();
    const never = await wf.wait(paid, { signal: over.signal }).catch(reasonOf);
    await wf.sleep("last", "10m");
    return [await wait, await sleep, never];
  },
  async given(wf) {
    return wf.sleep("nap", "1h", { signal: AbortSignal.timeout(20) }).catch(reasonOf);
  },
  /** Whichever comes first, and what else is there then. */
  async either(wf) {
    const over = new AbortController();
    const first = await Promise.race([wf.wait(paid, { signal: over.signal }), wf.wait(shut)]);
    over.abort();
    const rest = [await wf.wait(paid), await wf.wait(paid)];
    await wf.wait(shut);
    return [first, ...rest];
  },
  /** Two calls, one of which is given up, and one that begins it. */
  async calls(wf) {
    const over = new AbortController();
    const left = wf.wait(paid, { signal: over.signal }).catch(reasonOf);
    const stays = wf.wait(paid);
    await wf.wait(shut);
    over.abort();
    const seen = [await left, await stays];
    await wf.wait(shut);
    return [...seen, await left, await stays];
  },
  async late(wf) {
    const over = new AbortController();
    const seen = await Promise.all([
      wf.wait(paid).then((cents) => (over.abort(), cents)),
      wf.wait(paid, { signal: over.signal }).catch(reasonOf),
      wf.wait(paid, { timeout: "1m" }).catch(reasonOf),
    ]);
    await wf.wait(shut);
    return seen;
  },
  async side(wf) {
    const over = new AbortController();
    const first = wf.wait(paid, { signal: over.signal }).catch(reasonOf);
    const [, second] = await Promise.all([
      wf.run("end", () => over.abort()),
      wf.sleep("soon", "1s").then(() => wf.wait(paid)),
    ]);
    return [await first, second];
  },
});

test("a signal that comes after a wait was given up is that of the next wait, whatever step the body is at", async () => {
  await using mesh = await testMesh({ agents: [shop] });
  const run = await mesh.workflows(shop, "s").remind.start();
  await mesh.advance("1s");
  assert.deepEqual((await run.status()).waitsFor, ["remind"]);
  await run.signal(paid, 7);
  await mesh.advance("2s");
  assert.equal(await run.result(), "late, then 7");
});

for (const leave of ["sleep", "kill"] as const)
  test(`what has come for a wait that is given up is that of the next ones, in its order, after a ${leave}`, async () => {
    await using mesh = await testMesh({ agents: [shop] });
    const run = await mesh.workflows(shop, "s").either.start();
    await mesh.settle();
    if (leave === "kill") mesh.kill();
    else await mesh.sleep(shop, "s");
    await Promise.all([run.signal(shut, 0), run.signal(paid, 1), run.signal(paid, 2)]);
    await mesh.settle();
    mesh.kill();
    await run.signal(shut, 0);
    await mesh.advance("10s");
    assert.deepEqual(await run.result(), [0, 1, 2]);
  });

test("a call that is given up has nothing of what the others have, before and after a death", async () => {
  await using mesh = await testMesh({ agents: [shop] });
  const run = await mesh.workflows(shop, "s").calls.start();
  await mesh.settle();
  mesh.kill();
  await run.signal(shut, 0);
  await run.signal(paid, 1);
  await mesh.settle();
  mesh.kill();
  await run.signal(shut, 0);
  await mesh.advance("10s");
  assert.deepEqual(await run.result(), ["canceled aborted", 1, "canceled aborted", 1]);
});

test("calls that have the signal have it, though one of them is given up then, and one is over before", async () => {
  await using mesh = await testMesh({ agents: [shop] });
  const run = await mesh.workflows(shop, "s").late.start();
  await mesh.advance("2m");
  await run.signal(paid, 1);
  await mesh.settle();
  assert.deepEqual((await run.status()).waitsFor, ["shut"]);
  mesh.kill();
  await run.signal(shut, 0);
  await mesh.advance("10s");
  assert.deepEqual(await run.result(), [1, 1, "deadline_exceeded wait_timeout"]);
});

test("what is given up rejects, has no timer, and rejects again after the node's death", async () => {
  await using mesh = await testMesh({ agents: [shop] });
  const run = await mesh.workflows(shop, "s").told.start();
  await mesh.advance("2m");
  assert.deepEqual((await run.status()).waitsFor, ["last"]);
  mesh.kill();
  await mesh.advance("15m");
  assert.deepEqual(await run.result(), ["canceled aborted", "canceled aborted", "canceled aborted"]);
});

for (const [when, after] of [
  ["at once", "0s"],
  ["while the body is at a step", "1500ms"],
] as const)
  test(`wherever the node dies, a signal that comes ${when} is had once by a body that gives up waits`, async () => {
    const { runs } = await explore(
      async (mesh) => {
        const run = await mesh.workflows(shop, "s").remind.start(undefined, { id: "r" });
        await mesh.advance(after);
        await run.signal(paid, 7);
        await mesh.advance("4s");
        if (after === "0s") await run.signal(paid, 8);
        await mesh.settle();
        assert.equal(await run.result(), after === "0s" ? "7, then 8" : "late, then 7");
      },
      { agents: [shop], seeds: 1, kills: "every step" },
    );
    assert.ok(runs > 20, `${runs} runs`);
  });

test("wherever the node dies, a signal and a time that come together are one for each wait", async () => {
  const seen = new Set<string>();
  await explore(
    async (mesh) => {
      const run = await mesh.workflows(shop, "s").remind.start(undefined, { id: "r" });
      await mesh.advance("999ms");
      await Promise.all([mesh.advance("2ms"), run.signal(paid, 7)]);
      await mesh.advance("4s");
      await run.signal(paid, 8);
      await mesh.settle();
      const result = await run.result();
      seen.add(result);
      assert.ok(["7, then 8", "late, then 7"].includes(result), result);
    },
    { agents: [shop], seeds: 1, kills: "every step" },
  );
  assert.ok(seen.size > 0);
});

test("a signal of one's own that fires beside all steps is kept as an entry is", async () => {
  await using mesh = await testMesh({ agents: [shop] });
  const run = await mesh.workflows(shop, "s").given.start();
  await mesh.settle();
  while ((await run.status()).phase !== "done") await new Promise(setImmediate);
  assert.equal(await run.result(), "canceled aborted");
});

test("wherever the node dies, a wait that a step beside it gives up leaves the signal to the next", async () => {
  await explore(
    async (mesh) => {
      const run = await mesh.workflows(shop, "s").side.start(undefined, { id: "r" });
      await mesh.settle();
      await run.signal(paid, 7);
      await mesh.advance("4s");
      assert.deepEqual(await run.result(), ["canceled aborted", 7]);
    },
    { agents: [shop], seeds: 1, kills: "every step" },
  );
});

test("a workflow that is cancelled amid a wait with a signal of its own is cancelled", async () => {
  await using mesh = await testMesh({ agents: [shop] });
  const run = await mesh.workflows(shop, "s").told.start();
  await mesh.settle();
  await run.cancel();
  await mesh.settle();
  assert.equal((await run.status()).phase, "cancelled");
});
