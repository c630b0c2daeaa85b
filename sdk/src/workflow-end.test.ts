// How workflows end whose values or words the journal does not take.
import assert from "node:assert/strict";
import { test } from "node:test";
import { jsonDepthMax } from "@voda/proto/fields";
import { rejection } from "../test/shop.ts";
import type { WorkflowRun } from "./client.ts";
import { agent, VodaError } from "./index.ts";
import { testMesh } from "./testing.ts";
import { keptDepthMax, keptJson } from "./workflow-json.ts";

const half = "🦆".slice(0, 1);
const nested = (depth: number): unknown => (depth === 0 ? [] : [nested(depth - 1)]);

/** With what it has failed by now. */
async function errorOf(run: WorkflowRun<unknown>) {
  const { phase, error } = await run.status();
  assert.equal(phase, "failed");
  assert.ok(error);
  return error;
}

/** Workflows that do one step outside, which is undone, and come to the end that is named. */
const ends: Readonly<Record<string, { act: () => unknown; code: string; reason: string; words: RegExp }>> = {
  "returns half a character": {
    act: () => ({ name: [half] }),
    code: "internal",
    reason: "invalid_result",
    words: /what the workflow returned\.name\[0\] has half a character/,
  },
  "returns a name with half a character": {
    act: () => ({ [half]: 1 }),
    code: "internal",
    reason: "invalid_result",
    words: /what the workflow returned has a name that has half a character/,
  },
  "returns what is nested too deep": {
    act: () => nested(64),
    code: "internal",
    reason: "invalid_result",
    words: /what the workflow returned.* is nested deeper than keptDepthMax 63/,
  },
  "returns a date": {
    act: () => new Date(0),
    code: "internal",
    reason: "invalid_result",
    words: /what the workflow returned is Date, which JSON does not have/,
  },
  "returns too much": {
    act: () => "x".repeat(200_000),
    code: "resource_exhausted",
    reason: "too_large",
    words: /what the workflow returned of 200002 bytes exceeds stepBytesMax 131072/,
  },
  "throws half a character": {
    act: () => {
      throw new VodaError("aborted", `quack ${half}`, { reason: `duck ${half}` });
    },
    code: "aborted",
    reason: "duck \ufffd",
    words: /^quack \ufffd$/,
  },
  "throws a message of 2 MB": {
    act: () => {
      throw new VodaError("aborted", "x".repeat(2_000_000), { reason: "mine" });
    },
    code: "aborted",
    reason: "mine",
    words: /^x+\.\.\. \(2000000 characters\)$/,
  },
};

for (const [what, { act, code, reason, words }] of Object.entries(ends))
  test(`a workflow that ${what} fails at once, typed, and is undone once`, async () => {
    const done: string[] = [];
    const job = agent("job", {}).workflows({
      async work(wf) {
        done.push("begun");
        await wf.run("charge", () => void done.push("charge"), { undo: () => void done.push("refund") });
        return act() as null;
      },
    });
    await using mesh = await testMesh({ agents: [job] });
    const run = await mesh.workflows(job, "j").work.start();
    await mesh.settle();
    const error = await errorOf(run);
    assert.deepEqual([error.code, error.reason], [code, reason]);
    assert.match(error.message, words);
    assert.ok(error.message.length < 10_000);
    assert.deepEqual(done, ["begun", "charge", "refund"]);
  });

/** What a step gives that is done and cannot be kept. */
const results: Readonly<Record<string, { give: () => unknown; reason: string; words: RegExp }>> = {
  "half a character": { give: () => ({ a: half }), reason: "invalid_result", words: /it\.a has half a/ },
  "what is nested too deep": {
    give: () => nested(64),
    reason: "invalid_result",
    words: /it\[0\].* is nested deeper than keptDepthMax 63/,
  },
  "a date": { give: () => new Date(0), reason: "invalid_result", words: /it is Date/ },
  "too much": {
    give: () => "x".repeat(200_000),
    reason: "too_large",
    words: /its 200002 bytes exceed stepBytesMax 131072/,
  },
};

for (const [what, { give, reason, words }] of Object.entries(results))
  for (const dies of [false, true])
    test(`a step that gives ${what} has failed and is undone${dies ? ", also when the node dies" : ""}`, async () => {
      const done: string[] = [];
      const job = agent("job", {}).workflows({
        async work(wf) {
          const step = wf.run("charge", () => (done.push("charge"), give() as string), {
            undo: () => void done.push("refund"),
          });
          const error = await step.then(
            () => assert.fail("its result is kept"),
            (thrown: unknown) => VodaError.from(thrown),
          );
          await wf.sleep("a while", "1m");
          throw error;
        },
      });
      await using mesh = await testMesh({ agents: [job] });
      const run = await mesh.workflows(job, "j").work.start();
      await mesh.settle();
      if (dies) mesh.kill();
      await mesh.advance("1m");
      const error = await errorOf(run);
      assert.equal(error.reason, reason);
      assert.match(error.message, words);
      assert.match(error.message, /^wf\.run: step "charge" was done, and its result is not kept/);
      assert.deepEqual(done, ["charge", "refund"]);
    });

test("a step whose result no schema takes was done all the same, and is undone", async () => {
  const done: string[] = [];
  const job = agent("job", {}).workflows({
    async work(wf) {
      await wf.run("charge", () => "paid", {
        schema: {
          "~standard": { version: 1, vendor: "test", validate: () => ({ issues: [{ message: "no" }] }) },
        },
        undo: (paid) => void done.push(`refund ${String(paid)}`),
      });
    },
  });
  await using mesh = await testMesh({ agents: [job] });
  const run = await mesh.workflows(job, "j").work.start();
  await mesh.settle();
  assert.equal((await errorOf(run)).reason, "invalid_result");
  assert.deepEqual(done, ["refund paid"]);
});

for (const dies of [false, true])
  test(`a step that may have been done is undone, and one that has failed is not${dies ? ", also after a death" : ""}`, async () => {
    const done: string[] = [];
    const never = () => new Promise<string>(() => undefined);
    const lost = () => {
      throw new VodaError("unavailable", "no answer", { details: { effect: "unknown" } });
    };
    const refuse = () => {
      throw new VodaError("failed_precondition", "no");
    };
    const job = agent("job", {}).workflows({
      async work(wf) {
        const step = (name: string, act: () => Promise<string>, attempts = 1) =>
          wf.run(name, act, {
            timeout: "30ms",
            retry: { attempts, delay: 1 },
            undo: (given) => void done.push(`undo ${name} ${given}`),
          });
        let tries = 0;
        await assert.rejects(step("slow", never), { reason: "step_timeout" });
        await assert.rejects(
          step("lost", async () => lost()),
          { code: "unavailable" },
        );
        const lostFirst = async (): Promise<string> => ((tries += 1) === 1 ? lost() : refuse());
        await assert.rejects(step("lost, then refused", lostFirst, 2), { code: "failed_precondition" });
        await assert.rejects(
          step("refused", async () => refuse()),
          { code: "failed_precondition" },
        );
        await wf.sleep("a while", "1m");
        throw new VodaError("aborted", "out of stock");
      },
    });
    await using mesh = await testMesh({ agents: [job] });
    const run = await mesh.workflows(job, "j").work.start();
    await mesh.advance("10s");
    if (dies) mesh.kill();
    await mesh.advance("2m");
    assert.equal((await errorOf(run)).message, "out of stock");
    assert.deepEqual(done, [
      "undo lost, then refused undefined",
      "undo lost undefined",
      "undo slow undefined",
    ]);
  });

test("what an undo gives is not kept, whatever it is", async () => {
  const job = agent("job", {}).workflows({
    async work(wf) {
      await wf.run("charge", () => 1, { undo: () => new Map([[half, "x".repeat(200_000)]]) });
      throw new VodaError("aborted", "no luck");
    },
  });
  await using mesh = await testMesh({ agents: [job] });
  const run = await mesh.workflows(job, "j").work.start();
  await mesh.settle();
  assert.equal((await errorOf(run)).message, "no luck");
});

test("undos that fail are tried once each, and the error of a thousand of them is bounded", async () => {
  let asked = 0;
  const job = agent("job", {}).workflows({
    async work(wf) {
      for (let at = 0; at < 400; at += 1)
        await wf.run(`s${at}`, () => at, {
          undo: () => {
            asked += 1;
            throw new VodaError("failed_precondition", `${half}${"y".repeat(1_900)}`);
          },
        });
      throw new VodaError("aborted", "no luck");
    },
  });
  await using mesh = await testMesh({ agents: [job] });
  const run = await mesh.workflows(job, "j").work.start();
  await mesh.settle();
  const { message } = await errorOf(run);
  assert.match(
    message,
    /^no luck; step "s399" could not be undone: \ufffdy+\.\.\. \(1901 characters\); step "s398"/,
  );
  assert.match(message, /; and 384 more steps could not be undone: mesh\.log has them$/);
  assert.ok(message.length < 10_000, `${message.length}`);
  assert.equal(asked, 400);
  assert.equal(
    mesh.log.filter(({ message: line }) =>
      /^the undo of step "s\d+" of workflow ".*" threw VodaError/.test(line),
    ).length,
    400,
  );
});

test("an undo that failed is not tried again when the node dies amid the others, and is told", async () => {
  const asked: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const job = agent("job", {}).workflows({
    async work(wf) {
      await wf.run("one", () => 1, { undo: () => (asked.push("one"), promise) });
      await wf.run("two", () => 2, {
        undo: () => {
          asked.push("two");
          throw new VodaError("failed_precondition", "closed");
        },
      });
      throw new VodaError("aborted", "no luck");
    },
  });
  await using mesh = await testMesh({ agents: [job] });
  const run = await mesh.workflows(job, "j").work.start();
  await mesh.settle();
  mesh.kill();
  resolve();
  await mesh.advance("10s");
  assert.equal((await errorOf(run)).message, 'no luck; step "two" could not be undone: closed');
  assert.deepEqual(asked, ["two", "one", "one"]);
});

test("what JSON or the journal does not have is refused of an input, a signal and a tx, where it is", async () => {
  const job = agent("job", {}).workflows({
    async work(wf, input: unknown) {
      wf.log.info("begun", { input });
      return wf.tx("give", () => ({ b: half })).catch((error: unknown) => VodaError.from(error).message);
    },
  });
  await using mesh = await testMesh({ agents: [job] });
  const { work } = mesh.workflows(job, "j");
  for (const [input, words] of [
    [{ a: half }, /^\$workflows\.work\.start: the input\.a has half a character/],
    [nested(64), /^\$workflows\.work\.start: the input\[0\].* is nested deeper than keptDepthMax 63/],
  ] as const) {
    const error = await rejection(work.start(input));
    assert.equal(error.reason, "bad_request");
    assert.match(error.message, words);
  }
  const run = await work.start(null);
  await mesh.settle();
  assert.match(
    JSON.stringify((await run.status()).result),
    /^"wf\.tx\(\\"give\\"\): its result\.b has half a character/,
  );
});

test("what the state takes is kept, with what stands around it, to the last level", async () => {
  assert.equal(keptDepthMax, jsonDepthMax - 1);
  const deepest = nested(keptDepthMax - 1);
  const job = agent("job", {}).workflows({ work: async (_wf, input: unknown) => input as null });
  await using mesh = await testMesh({ agents: [job] });
  const run = await mesh.workflows(job, "j").work.start(deepest);
  await mesh.settle();
  assert.deepEqual((await run.status()).result, deepest);
  assert.throws(() => keptJson("it", nested(keptDepthMax)), { reason: "bad_request" });
});
