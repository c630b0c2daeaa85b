// What workflows may take of their session, and who makes room.
import assert from "node:assert/strict";
import { test } from "node:test";
import { rejection } from "../test/shop.ts";
import { agent, s, signal, VodaError } from "./index.ts";
import { testMesh } from "./testing.ts";

const go = signal("go");

test("workflows that have ended make room for the steps of those that run, again and again", async () => {
  const job = agent("job", {}).workflows({
    work: (wf, chars: number) => wf.run("llm", () => "x".repeat(chars)),
  });
  await using mesh = await testMesh({ agents: [job] });
  const { work } = mesh.workflows(job, "j");
  for (let at = 0; at < 90; at += 1) {
    const run = await work.start(at < 64 ? 130_000 : 10_000, { id: `w${at}` });
    await mesh.settle();
    const { phase, error } = await run.status();
    assert.equal(phase, "done", `the ${at}th: ${error?.message}`);
  }
  assert.equal((await rejection(work.get("w0").status())).reason, "workflow_not_found");
});

test("1,000 steps of one body run side by side", async () => {
  const job = agent("job", {}).workflows({
    async work(wf) {
      const all = await Promise.all(Array.from({ length: 1_000 }, (_, at) => wf.run(`s${at}`, () => 1)));
      return all.length;
    },
  });
  await using mesh = await testMesh({ agents: [job] });
  const run = await mesh.workflows(job, "j").work.start();
  await mesh.settle();
  const { result, error } = await run.status();
  assert.equal(result, 1_000, error?.message ?? "it runs");
});

test("a step for which there is no room is refused before it is done, and is told what takes it", async () => {
  const done: string[] = [];
  const job = agent("job", {}).workflows({
    fill: (wf, _input: string) => wf.wait(go),
    async late(wf) {
      await wf.wait(go);
      await wf.run("ship", () => void done.push("ship"));
    },
  });
  await using mesh = await testMesh({ agents: [job] });
  const { fill, late } = mesh.workflows(job, "j");
  const run = await late.start();
  const full = async (input: string) => {
    for (;;) await fill.start(input);
  };
  await assert.rejects(full("x".repeat(130_000)), { reason: "workflows_full" });
  await assert.rejects(full("x".repeat(10_000)), { reason: "workflows_full" });
  await mesh.settle();
  await run.signal(go);
  await mesh.settle();
  const { error } = await run.status();
  assert.match(
    error?.message ?? "",
    /^the workflows of the session take 8\d{6} bytes, and 32768 are kept for what steps under way may fail with: together more than workflowBytesMax 8388608; let some end/,
  );
  assert.deepEqual(done, []);
});

test("a body that caught the refusal of a full session goes the same way again, though there is room by then", async () => {
  const room = Promise.withResolvers<void>();
  const job = agent("job", { left: s.counter() }).workflows({
    fill: (wf, _input: string) => wf.wait(go),
    async book(wf) {
      await wf.sleep("a while", "1m");
      const told = await wf
        .tx("reserve ".padEnd(120, "."), (state) => (state.left.add(-1), "x".repeat(10_000)))
        .then(
          () => "reserved",
          (error: unknown) => VodaError.from(error).reason,
        );
      await room.promise;
      await wf.wait(go);
      return told;
    },
  });
  await using mesh = await testMesh({ agents: [job] });
  const { fill, book } = mesh.workflows(job, "j");
  const run = await book.start();
  await mesh.settle();
  const full = async (chars: number) => {
    for (let at = 0; ; at += 1) await fill.start("x".repeat(chars), { id: `${chars} ${at}` });
  };
  for (const chars of [130_000, 1_000, 0]) await assert.rejects(full(chars), { reason: "workflows_full" });
  await mesh.advance("1m");
  for (const at of [0, 1]) await fill.get(`130000 ${at}`).cancel();
  room.resolve();
  await mesh.settle();
  mesh.kill();
  await run.signal(go);
  await mesh.settle();
  assert.equal((await run.status()).result, "workflows_full");
  assert.equal(mesh.state(job, "j").left, 0);
});
