// Workflows whose bodies run again: the way that they go, the clock that they see, and which ends count.
import assert from "node:assert/strict";
import { test } from "node:test";
import { agent, s, signal, VodaError } from "./index.ts";
import { testMesh } from "./testing.ts";

const go = signal("go");

test("a body that caught the failure of a step goes the same way again, whatever the world says by then", async () => {
  const done: string[] = [];
  let isClosed = true;
  const pay = (card: string) => {
    if (card === "A" && isClosed) throw new VodaError("failed_precondition", "closed", { reason: "bank" });
    done.push(card);
  };
  const undo = (card: string) => ({ undo: () => void done.push(`undo ${card}`) });
  const job = agent("job", { notes: s.register<string[]>([]) }).workflows({
    async work(wf) {
      const seen: string[] = [];
      const told = (error: unknown) => {
        const { code, reason, message } = VodaError.from(error);
        seen.push(`${code} ${reason} ${message}`);
      };
      await wf.run("A", () => pay("A"), undo("A")).catch(told);
      await wf.run("B", () => pay("B"), undo("B"));
      await wf.run("C", () => assert.ok(!isClosed, "a secret")).catch(told);
      await wf
        .tx("note", (state) => {
          state.notes = [...state.notes, "noted"];
          if (isClosed) throw new VodaError("aborted", "not now", { reason: "late" });
        })
        .catch(told);
      await wf.run("seen", () => seen);
      await wf.wait(go);
      throw new VodaError("aborted", JSON.stringify(seen));
    },
  });
  await using mesh = await testMesh({ agents: [job] });
  const run = await mesh.workflows(job, "j").work.start(undefined, { id: "w" });
  await mesh.settle();
  isClosed = false;
  mesh.kill();
  await run.signal(go);
  await mesh.settle();
  const { error } = await run.status();
  assert.deepEqual(JSON.parse(error?.message ?? ""), [
    "failed_precondition bank closed",
    'internal internal step "C" of workflow "w" threw an AssertionError; mesh.log has it as request w',
    "aborted late not now",
  ]);
  assert.deepEqual(done, ["B", "undo B"]);
  assert.deepEqual(mesh.state(job, "j").notes, []);
});

test("a step that is tried again is told once for each try, and its end once, under the id of its workflow", async () => {
  const job = agent("job", {}).workflows({
    async work(wf) {
      const retry = { attempts: 3, delay: 1 } as const;
      const act = () => {
        throw new Error("no luck");
      };
      await assert.rejects(wf.run("s", act, { retry }));
      await wf.run("t", () => 1, { undo: act, retry: { delay: 1 } });
      await wf.run("u", () => 1, { undo: act, retry: { attempts: 2, delay: 1 } });
      throw new VodaError("aborted", "enough");
    },
  });
  await using mesh = await testMesh({ agents: [job] });
  await mesh.workflows(job, "j").work.start(undefined, { id: "w" });
  await mesh.advance("2h");
  const lines = mesh.log
    .filter(({ request }) => request === "w")
    .map(({ level, message }) => `${level} ${message}`);
  assert.deepEqual(lines.slice(0, 7), [
    'warn step "s" failed, attempt 1 of 3; the next in 1 ms: no luck',
    'warn step "s" failed, attempt 2 of 3; the next in 2 ms: no luck',
    'error step "s" of workflow "w" failed: Error: no luck',
    'warn workflow "w" threw VodaError: enough',
    'warn undo of step "u" failed, attempt 1 of 2; the next in 1 ms: no luck',
    'error the undo of step "u" of workflow "w" failed: Error: no luck',
    'warn undo of step "t" failed, attempt 1 of 10; the next in 1 ms: no luck',
  ]);
  assert.equal(lines.at(-1), 'error the undo of step "t" of workflow "w" failed: Error: no luck');
  assert.equal(lines.length, 4 + 2 + 9 + 1);
});

test("a turn of a workflow that is refused is told once, as its step's, under the id of the workflow", async () => {
  const job = agent("job", {}).workflows({
    async work(wf) {
      const refuse = () => {
        throw new VodaError("aborted", "no luck");
      };
      await assert.rejects(wf.tx("t", refuse));
      await assert.rejects(wf.run("d", () => "x".repeat(200_000)));
    },
  });
  await using mesh = await testMesh({ agents: [job] });
  await mesh.workflows(job, "j").work.start(undefined, { id: "w" });
  await mesh.settle();
  const lines = mesh.log.map(({ request, message }) => `${request} ${message}`);
  assert.equal(lines[0], 'w step "t" of workflow "w" threw VodaError: no luck');
  assert.match(
    lines[1] ?? "",
    /^w step "d" of workflow "w" threw VodaError: wf\.run: step "d" was done, and/,
  );
  assert.equal(lines.length, 2);
});

test("a step within a step, or within the function of a tx, is refused at once, by both names", async () => {
  const refused: string[] = [];
  const job = agent("job", {}).workflows({
    async work(wf) {
      const within = async (act: () => Promise<unknown>): Promise<void> => {
        await act().catch((error: unknown) => refused.push(VodaError.from(error).message));
      };
      await wf.run("outer", async () => {
        await within(() => wf.run("inner", () => 1));
        await within(() => wf.tx("change", () => 1));
        await within(() => wf.sleep("nap", 1));
        await within(() => wf.wait(go));
      });
      const late: Promise<void>[] = [];
      await wf.tx("turn", () => void late.push(within(() => wf.run("in turn", () => 1))));
      await Promise.all(late);
      await wf.run("inner", () => 1);
    },
  });
  await using mesh = await testMesh({ agents: [job] });
  const run = await mesh.workflows(job, "j").work.start();
  await mesh.settle();
  assert.equal((await run.status()).phase, "done");
  assert.equal(refused.length, 5);
  assert.match(refused[0] ?? "", /^step "inner" within step "outer": a step that is kept is not done again/);
  assert.match(refused[3] ?? "", /^wf\.wait of signal "go" within step "outer": /);
  assert.match(refused[4] ?? "", /^step "in turn" within step "turn": /);
});

test("what the clock showed before a wait, or in vain, is the same again, and a tx does not move it", async () => {
  const seen: number[][] = [];
  const job = agent("job", {}).workflows({
    async work(wf) {
      const times = [wf.now()];
      await wf.sleep("one", "1m");
      times.push(wf.now());
      const refuse = () => {
        throw new VodaError("aborted", "no");
      };
      await assert.rejects(wf.tx("refused", refuse));
      times.push(wf.now());
      await wf.tx("note", () => wf.now() > 0);
      await wf.sleep("two", "1m");
      times.push(wf.now());
      await wf.wait(go);
      seen.push(times);
      await wf.wait(go);
    },
  });
  await using mesh = await testMesh({ agents: [job] });
  const run = await mesh.workflows(job, "j").work.start();
  await mesh.advance("3m");
  await run.signal(go);
  await mesh.settle();
  mesh.kill();
  await mesh.advance("1m");
  await run.signal(go);
  await mesh.settle();
  assert.equal((await run.status()).phase, "done");
  assert.equal(seen.length, 2);
  assert.deepEqual(seen[1], seen[0]);
});

test("a workflow that has asked the clock more often than its journal holds begins no step any more", async () => {
  const job = agent("job", {}).workflows({
    async work(wf) {
      for (let at = 0; at < 3; at += 1) {
        for (let more = 0; more < 8_000; more += 1) wf.now();
        await wf.run(`s${at}`, () => at);
      }
    },
  });
  await using mesh = await testMesh({ agents: [job] });
  const run = await mesh.workflows(job, "j").work.start();
  await mesh.settle();
  const { error } = await run.status();
  assert.equal(error?.reason, "too_large");
  assert.match(
    error.message,
    /step "s2": the workflow has asked wf\.now\(\) more often than workflowTimesMax 16384/,
  );
});

test("a session that is put to sleep again and again amid one long step has not ended with it", async () => {
  let begun = 0;
  const { promise, resolve } = Promise.withResolvers<string>();
  const job = agent("job", {}).workflows({
    work: (wf) => wf.run("long", () => ((begun += 1), promise)),
  });
  await using mesh = await testMesh({ agents: [job] });
  const run = await mesh.workflows(job, "j").work.start();
  for (let at = 0; at < 20; at += 1) {
    await mesh.settle();
    await mesh.sleep(job, "j");
    assert.equal((await run.status()).phase, "running");
  }
  resolve("done");
  await mesh.advance("10s");
  assert.equal((await run.status()).result, "done");
  assert.equal(begun, 21);
});

test("a workflow whose node dies amid one step again and again fails, and what it did before is undone", async () => {
  const done: string[] = [];
  const job = agent("job", {}).workflows({
    async work(wf) {
      await wf.run("charge", () => void done.push("charge"), { undo: () => void done.push("refund") });
      await wf.run("deadly", () => (done.push("deadly"), new Promise<null>(() => undefined)));
    },
  });
  await using mesh = await testMesh({ agents: [job] });
  const run = await mesh.workflows(job, "j").work.start();
  const goesOn = () => mesh.advance("30s");
  await goesOn();
  mesh.kill();
  await goesOn();
  await mesh.sleep(job, "j"); // an orderly end neither counts nor hides the others
  await goesOn();
  for (let at = 0; at < 2; at += 1) {
    mesh.kill();
    await goesOn();
  }
  const { phase, error } = await run.status();
  assert.deepEqual([phase, error?.reason], ["failed", "worker_lost"]);
  assert.deepEqual(done, ["charge", "deadly", "deadly", "deadly", "deadly", "refund"]);
});

test("a workflow with nothing to undo is cancelled without its body", async () => {
  let runs = 0;
  const job = agent("job", {}).workflows({
    async work(wf) {
      runs += 1;
      await wf.run("kept", () => 1);
      await wf.wait(go);
    },
  });
  await using mesh = await testMesh({ agents: [job] });
  const run = await mesh.workflows(job, "j").work.start();
  await mesh.settle();
  mesh.kill();
  assert.equal(await run.cancel(), true);
  await mesh.settle();
  assert.deepEqual([runs, (await run.status()).phase], [1, "cancelled"]);
});

test("what undoes comes to its end in a session that others have filled, and nothing else is done there", async () => {
  const done: string[] = [];
  const job = agent("job", { left: s.counter() }).workflows({
    async book(wf) {
      await wf.tx("reserve", (state) => void state.left.add(-1), { undo: (state) => void state.left.add(1) });
      await wf.run("charge", () => void done.push("charge"), { undo: () => void done.push("refund") });
      await wf.wait(go);
    },
    fill: (wf, _input: string) => wf.wait(go),
    late: async (wf) => {
      await wf.wait(go);
      await wf.run("ship", () => void done.push("ship"));
    },
  });
  await using mesh = await testMesh({ agents: [job] });
  const { book, fill, late } = mesh.workflows(job, "j");
  const run = await book.start();
  const other = await late.start();
  await mesh.settle();
  const large = "x".repeat(130_000);
  const full = async (input: string) => {
    for (;;) await fill.start(input);
  };
  await assert.rejects(full(large), { reason: "workflows_full" });
  await assert.rejects(full("x".repeat(1_000)), { reason: "workflows_full" });
  await mesh.settle();
  await other.signal(go);
  await run.cancel();
  await mesh.settle();
  assert.equal((await run.status()).error?.message, `workflow "${run.id}" was cancelled`);
  assert.equal((await other.status()).error?.reason, "workflows_full");
  assert.deepEqual(done, ["charge", "refund"]);
  assert.equal(mesh.state(job, "j").left, 0);
});

test("what a body has logged before it runs again is not logged again", async () => {
  const job = agent("job", {}).workflows({
    async work(wf) {
      wf.log.info("before");
      await wf.run("s", () => 1);
      wf.log.info("after");
      await wf.wait(go);
      wf.log.info("at last");
    },
  });
  await using mesh = await testMesh({ agents: [job] });
  const run = await mesh.workflows(job, "j").work.start(undefined, { id: "w" });
  await mesh.settle();
  mesh.kill();
  await run.signal(go);
  await mesh.settle();
  const said = mesh.log.filter(({ request }) => request === "w").map(({ message }) => message);
  assert.deepEqual(said, ["before", "after", "at last"]);
});

test("a step rejects with the same error in each run: with its details, and without its cause", async () => {
  class Declined extends Error {}
  const refused = (): never => {
    throw new VodaError("failed_precondition", "no", {
      cause: new Declined("by the bank"),
      details: { body: "x".repeat(1_100), a: "1" },
      retryAfter: "1s",
    });
  };
  const broken = (): never => {
    throw new Declined("by the bank");
  };
  const seen: object[][] = [];
  const job = agent("job", {}).workflows({
    async work(wf) {
      const steps = [
        () => wf.run("refused", refused),
        () => wf.run("broken", broken),
        () => wf.run("unkept", () => new Map<string, string>() as never),
        () => wf.tx("refused too", refused),
        () => wf.tx("broken too", broken),
      ];
      const told = (error: unknown) => {
        const { code, reason, message, details, retryAfterMs, cause } = VodaError.from(error);
        return { code, reason, message, details, retryAfterMs, cause };
      };
      const errors: object[] = [];
      for (const step of steps) errors.push(await step().then(() => assert.fail(), told));
      seen.push(errors);
      await wf.wait(go);
    },
  });
  await using mesh = await testMesh({ agents: [job] });
  const run = await mesh.workflows(job, "j").work.start(undefined, { id: "w" });
  await mesh.settle();
  mesh.kill();
  await run.signal(go);
  await mesh.settle();
  assert.equal((await run.status()).phase, "done");
  assert.deepEqual(seen[0], seen[1]);
  assert.deepEqual(seen[0]?.[0], {
    code: "failed_precondition",
    reason: "user",
    message: "no",
    details: { a: "1" },
    retryAfterMs: 1_000,
    cause: undefined,
  });
  const line = mesh.log.find(({ message }) => message.startsWith('step "broken" of workflow "w" failed: '));
  assert.match(String(Reflect.get(line?.fields ?? {}, "stack")), /^Error: by the bank\n +at .*broken /);
});
