// Workflows through the face that users test them by: the product's own lanes and activations, in memory.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Outside, rejection, shopOf } from "../test/shop.ts";
import { agent, s, signal, VodaError, type WorkflowStatus } from "./index.ts";
import { testMesh } from "./testing.ts";

const go = signal("go");

test("a workflow runs its steps, sleeps, waits for a signal, and ends", async () => {
  const outside = new Outside();
  const shop = shopOf(outside);
  await using mesh = await testMesh({ agents: [shop] });
  const session = mesh.client.shop("a");
  assert.equal(await session.place(5), "o");
  await mesh.settle();
  assert.equal(mesh.state(shop, "a").status, "waiting");
  mesh.kill();
  await mesh.sleep(shop, "a");
  await session.approve("bob");
  await mesh.settle();
  assert.deepEqual(outside.asked, ["charge 5"]);
  await mesh.sleep(shop, "a");
  assert.equal(mesh.isAwake(shop, "a"), false);
  await mesh.advance("1m");
  assert.equal(mesh.state(shop, "a").status, "paid by bob: charge 5 done");
  assert.deepEqual(outside.asked, ["charge 5"]);
  assert.deepEqual(mesh.state(shop, "a"), { status: "paid by bob: charge 5 done", turns: 2 });
});

test("a turn that throws starts nothing, and a start under a used id is the same one", async () => {
  const mine = shopOf(new Outside());
  await using mesh = await testMesh({ agents: [mine] });
  const session = mesh.client.shop("a");
  assert.equal((await rejection(session.regret(1))).message, "no");
  const missing = await rejection(mesh.workflows(mine, "a").checkout.get("o").status());
  assert.equal(missing.reason, "workflow_not_found");
  await session.place(1);
  await session.place(1);
  await mesh.settle();
  assert.equal(mesh.state(mine, "a").turns, 1);
});

test("a failed workflow undoes what it did, the last first, each under a key of its own", async () => {
  const world = new Outside();
  const trip = agent("trip", { notes: s.map<string>() }).workflows({
    async book(wf, fails: boolean) {
      for (const what of ["flight", "hotel", "car"])
        await wf.run(what, (op) => world.do(what, op.idempotencyKey), {
          undo: (result, op) => world.do(`undo ${result}`, op.idempotencyKey),
        });
      await wf.tx("note", (state) => state.notes.set("a", "b"));
      if (fails) throw new VodaError("failed_precondition", "no visa", { reason: "visa" });
      await wf.wait(go);
    },
  });
  await using mesh = await testMesh({ agents: [trip] });
  const { book } = mesh.workflows(trip, "t");
  const failed = await book.start(true);
  await mesh.settle();
  const error = await rejection(failed.result());
  assert.deepEqual([error.code, error.reason, error.message], ["failed_precondition", "visa", "no visa"]);
  const all = ["flight", "hotel", "car", "undo car done", "undo hotel done", "undo flight done"];
  assert.deepEqual(world.asked, all);
  assert.equal(world.done.size, 6);

  world.asked.length = 0;
  const cancelled = await book.start(false, { id: "c" });
  await mesh.settle();
  assert.deepEqual((await cancelled.status()).waitsFor, ["go"]);
  mesh.kill();
  assert.equal(await cancelled.cancel(), true);
  await mesh.settle();
  assert.equal((await rejection(cancelled.result())).reason, "workflow_cancelled");
  assert.equal((await cancelled.status()).phase, "cancelled");
  assert.deepEqual(world.asked, all);
  assert.equal(await cancelled.cancel(), false);
  assert.equal((await rejection(cancelled.signal(go))).reason, "workflow_ended");
});

test("a step under way when a workflow is cancelled comes to its end, and is undone", async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  const undone: string[] = [];
  const seen: boolean[] = [];
  const slow = agent("slow", {}).workflows({
    async once(wf) {
      await wf.run(
        "pay",
        async (op) => {
          const paid = await promise;
          seen.push(op.signal.aborted);
          return paid;
        },
        { undo: (paid) => void undone.push(paid) },
      );
      await wf.run("ship", () => assert.fail("it is cancelled"));
    },
  });
  await using mesh = await testMesh({ agents: [slow] });
  const run = await mesh.workflows(slow, "s").once.start();
  await mesh.settle();
  await run.cancel();
  assert.equal((await run.status()).undoing, true);
  resolve("paid");
  await mesh.settle();
  assert.equal((await rejection(run.result())).reason, "workflow_cancelled");
  assert.deepEqual([seen, undone], [[true], ["paid"]]);
});

test("signals are kept in their order until they are waited for, and a time is the end of waiting", async () => {
  const word = signal<string>("word");
  const ear = agent("ear", { heard: s.register<string[]>([]) })
    .workflows({
      async listen(wf) {
        for (let at = 0; at < 3; at += 1) {
          const heard = await wf.wait(word, { timeout: "1h" }).catch(() => "late");
          await wf.tx(`note ${at}`, (state) => {
            state.heard = [...state.heard, heard];
          });
        }
      },
    })
    .handlers({
      begin: (ctx) => ctx.start.listen(undefined, { id: "l" }),
      say: (ctx, what: string) => ctx.notify("l", word, what),
    });
  await using mesh = await testMesh({ agents: [ear] });
  const session = mesh.client.ear("e");
  await session.begin();
  await session.say("one");
  await session.say("two");
  await mesh.settle();
  await mesh.advance("2h");
  assert.deepEqual(mesh.state(ear, "e").heard, ["one", "two", "late"]);
  assert.equal((await rejection(session.say("three"))).reason, "workflow_ended");
});

test("a time that is over is an error, which a signal without data is not, also after a death", async () => {
  const outside: string[] = [];
  const approval = agent("approval").workflows({
    async ask(wf) {
      try {
        await wf.wait(go, { timeout: "1h" });
        return "approved";
      } catch (error) {
        const late = VodaError.from(error);
        await wf.run("remind", () => void outside.push(`${late.code} ${late.reason}: ${late.message}`));
        await wf.wait(go, { timeout: "1h" });
        return "approved late";
      }
    },
  });
  await using mesh = await testMesh({ agents: [approval] });
  const { ask } = mesh.workflows(approval, "a");
  const [inTime, late, never] = [await ask.start(), await ask.start(), await ask.start()];
  await mesh.settle();
  await inTime.signal(go);
  await mesh.advance("61m");
  mesh.kill();
  await late.signal(go);
  await mesh.advance("2h");
  assert.deepEqual([await inTime.result(), await late.result()], ["approved", "approved late"]);
  const { code, reason, message } = await rejection(never.result());
  const words = 'wf.wait("go"): the signal has not come within the timeout';
  assert.deepEqual([code, reason, message], ["deadline_exceeded", "wait_timeout", words]);
  assert.deepEqual(outside, Array(2).fill(`deadline_exceeded wait_timeout: ${words}`));
});

test("a wait whose time is over before the body awaits it is no stray, and rejects when it does", async (t) => {
  const strays: unknown[] = [];
  const stray = (reason: unknown): void => void strays.push(reason);
  process.on("unhandledRejection", stray);
  t.after(() => process.off("unhandledRejection", stray));
  const later = agent("later").workflows({
    async work(wf) {
      const waited = wf.wait(go, { timeout: "1m" });
      await wf.sleep("nap", "1h");
      await waited;
    },
  });
  await using mesh = await testMesh({ agents: [later] });
  const run = await mesh.workflows(later, "l").work.start();
  await mesh.advance("30m");
  await new Promise(setImmediate);
  assert.equal((await run.status()).phase, "waiting");
  await mesh.advance("31m");
  assert.equal((await rejection(run.result())).reason, "wait_timeout");
  assert.deepEqual(strays, []);
});

test("another session signals a workflow by a message, and asks how far it is", async () => {
  const seller = agent("seller", { to: s.register("") }).workflows({
    async sell(wf) {
      const { by } = await wf.wait(signal<{ by: string }>("bought"));
      await wf.tx("note", (state) => {
        state.to = by;
      });
    },
  });
  const buyer = agent("buyer", {}).handlers({
    async buy(ctx, from: string) {
      await ctx.ask(seller, from).startWorkflow({ workflow: "sell", id: "s" });
      ctx.send(seller, from).signalWorkflow({ id: "s", signal: "bought", data: { by: ctx.key } });
    },
    isSold: async (ctx, from: string) =>
      (await ctx.ask(seller, from).workflowStatus({ id: "s" })).phase === "done",
  });
  await using mesh = await testMesh({ agents: [seller, buyer] });
  await mesh.client.buyer("ann").buy("shop");
  await mesh.settle();
  assert.equal(mesh.state(seller, "shop").to, "ann");
  assert.equal(await mesh.client.buyer("ann").isSold("shop"), true);
});

test("more workflows than bodies that run at once: each has its turn", async () => {
  let atOnce = 0;
  let most = 0;
  const many = agent("many", { done: s.counter() })
    .workflows({
      async one(wf, at: number) {
        await wf.run("work", async () => {
          most = Math.max(most, (atOnce += 1));
          await new Promise(setImmediate);
          atOnce -= 1;
          return at;
        });
        await wf.tx("count", (state) => state.done.add(1));
      },
    })
    .handlers({
      all(ctx, count: number) {
        for (let at = 0; at < count; at += 1) ctx.start.one(at, { id: String(at) });
      },
    });
  await using mesh = await testMesh({ agents: [many] });
  await mesh.client.many("m").all(200);
  await mesh.advance("1s");
  assert.equal(mesh.state(many, "m").done, 200);
  assert.ok(most <= 64, `${most} at once`);
});

test("a race ends after a restart as it ended before", async () => {
  const race = agent("race", { won: s.register<string[]>([]) })
    .workflows({
      async run(wf) {
        const first = await Promise.race([
          wf.wait(go).then(() => "signal"),
          wf.sleep("late", "1h").then(() => "time"),
        ]);
        await wf.tx("first", (state) => {
          state.won = [...state.won, first];
        });
        await wf.sleep("then", "1h");
        return first;
      },
    })
    .handlers({ go: (ctx) => ctx.notify("r", go) });
  await using mesh = await testMesh({ agents: [race] });
  const run = await mesh.workflows(race, "r").run.start(undefined, { id: "r" });
  await mesh.advance("1h");
  await mesh.client.race("r").go();
  await mesh.settle();
  mesh.kill();
  await mesh.advance("1h");
  assert.equal(await run.result(), "time");
  assert.deepEqual(mesh.state(race, "r").won, ["time"]);
});

test("a wait that comes after a sleep does so after a restart too, whatever came between", async () => {
  const gate = Promise.withResolvers<void>();
  const racer = agent("racer").workflows({
    async race(wf) {
      const first = await Promise.race([
        wf.wait(go, { timeout: "5s" }).then(() => "wait"),
        wf.sleep("nap", "4s").then(() => "sleep"),
      ]);
      await wf.run("step", () => gate.promise);
      return first;
    },
  });
  await using mesh = await testMesh({ agents: [racer] });
  const race = await mesh.workflows(racer, "r").race.start();
  await mesh.advance("6s");
  mesh.kill();
  gate.resolve();
  await mesh.advance("1m");
  assert.equal((await race.status()).result, "sleep");
});

test("what comes before a body that runs again has come to its wait is not missed", async () => {
  let reached = Promise.resolve();
  const late = agent("late").workflows({
    async work(wf) {
      await reached; // of no step
      await Promise.all([wf.sleep("nap", "4s"), wf.wait(go, { timeout: "6s" }).catch(() => "late")]);
    },
  });
  await using mesh = await testMesh({ agents: [late] });
  const work = await mesh.workflows(late, "l").work.start();
  await mesh.advance("1s");
  const gate = Promise.withResolvers<void>();
  reached = gate.promise;
  mesh.kill();
  await mesh.advance("7s");
  gate.resolve();
  await mesh.advance("10s");
  assert.equal((await work.status()).phase, "done");
});

test("what a body draws is the same when it runs again", async () => {
  const drawn: unknown[] = [];
  const dice = agent("dice", {}).workflows({
    async roll(wf) {
      const rolled = [wf.now(), wf.random(), wf.uuid()];
      await wf.run("first", () => drawn.push(rolled));
      await wf.sleep("a while", "1h");
      return rolled;
    },
  });
  await using mesh = await testMesh({ agents: [dice] });
  const run = await mesh.workflows(dice, "d").roll.start();
  await mesh.settle();
  mesh.kill();
  await mesh.advance("1h");
  assert.deepEqual(await run.result(), drawn[0]);
});

test("what is wrong with a step fails it, typed, and a body may go on from that", async () => {
  const bad = agent("bad", { count: s.counter() }).workflows({
    async all(wf) {
      const problems: string[] = [];
      const attempt = async (of: () => Promise<unknown>): Promise<void> => {
        const error = await of().then(
          () => "nothing",
          (reason: unknown) => VodaError.from(reason),
        );
        problems.push(typeof error === "string" ? error : `${error.code} ${error.reason}`);
      };
      await attempt(() => wf.run("big", () => "x".repeat(200_000)));
      await attempt(() => wf.run("big", () => "x"));
      await attempt(() =>
        wf.tx("throws", (state) => {
          state.count.add(1);
          throw new VodaError("out_of_range", "no", { reason: "mine" });
        }),
      );
      // @ts-expect-error -- the types refuse it too
      await attempt(() => wf.tx("waits", async () => 1));
      await attempt(() => wf.sleep("", "1s"));
      await attempt(() => wf.sleep("long", "1000000d"));
      await attempt(() => wf.wait({} as never));
      await attempt(() => wf.run("date", () => new Date() as never));
      return problems;
    },
  });
  await using mesh = await testMesh({ agents: [bad] });
  const run = await mesh.workflows(bad, "b").all.start();
  await mesh.settle();
  assert.deepEqual(await run.result(), [
    "resource_exhausted too_large",
    "invalid_argument bad_request",
    "out_of_range mine",
    "invalid_argument bad_request",
    "invalid_argument bad_request",
    "invalid_argument bad_request",
    "invalid_argument bad_request",
    "internal invalid_result",
  ]);
  assert.equal(mesh.state(bad, "b").count, 0);
});

test("a readonly handler starts nothing, and an agent without workflows has none to start", async () => {
  const start = (ctx: object) => (ctx as { start: { job(): object } }).start.job();
  const sly = agent("sly", {})
    .workflows({ job: async () => null })
    .readonly({ start: (ctx) => start(ctx) });
  const none = agent("none", {}).handlers({ start: (ctx) => start(ctx) });
  await using mesh = await testMesh({ agents: [sly, none] });
  assert.equal((await rejection(mesh.client.sly("s").start())).reason, "bad_request");
  assert.equal((await rejection(mesh.client.none("n").start())).reason, "workflow_not_found");
});

test("what clients send is looked at", async () => {
  const shop = shopOf(new Outside());
  await using mesh = await testMesh({ agents: [shop] });
  const $workflows = mesh.workflows(shop, "a");
  const unknown = await rejection(
    (Reflect.get($workflows, "chekout") as typeof $workflows.checkout).start({ cents: 1 }),
  );
  assert.equal(unknown.reason, "workflow_not_found");
  assert.match(unknown.message, /did you mean checkout/);
  const large = await rejection($workflows.checkout.start({ cents: 1, more: "x".repeat(200_000) } as never));
  assert.equal(large.reason, "too_large");
  const run = await $workflows.checkout.start({ cents: 1 });
  await mesh.settle();
  for (let at = 0; at < 100; at += 1) await run.signal(go);
  assert.equal((await rejection(run.signal(go))).reason, "workflows_full");
  const plain = await mesh.fetch("http://mesh/agents/shop/a/_workflow", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"due":["x","y"]}',
  });
  assert.equal(plain.status, 404, await plain.text());
});

test("a body says how far it is", async () => {
  const job = agent("job", {}).workflows({
    async work(wf) {
      wf.status("half", 0.5);
      await wf.wait(go);
      wf.status("nearly");
    },
  });
  await using mesh = await testMesh({ agents: [job] });
  const run = await mesh.workflows(job, "j").work.start();
  await mesh.settle();
  const { id, ...status } = await run.status();
  assert.deepEqual(status, {
    workflow: "work",
    phase: "waiting",
    waitsFor: ["go"],
    undoing: false,
    text: "half",
    progress: 0.5,
  });
  await run.signal(go);
  await mesh.settle();
  assert.deepEqual(await run.status(), {
    id,
    workflow: "work",
    phase: "done",
    waitsFor: [],
    undoing: false,
    text: "nearly",
  });
});

test("steps side by side: what one of them did when another failed is undone", async () => {
  const undone: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const both = agent("both", {}).workflows({
    async all(wf) {
      await Promise.all([
        wf.run("slow", () => promise, { undo: () => void undone.push("slow") }),
        wf.run("bad", () => {
          throw new VodaError("aborted", "bad luck");
        }),
      ]);
    },
  });
  await using mesh = await testMesh({ agents: [both] });
  const run = await mesh.workflows(both, "b").all.start();
  await mesh.settle();
  resolve();
  await mesh.settle();
  assert.equal((await rejection(run.result())).message, "bad luck");
  assert.deepEqual(undone, ["slow"]);
});

/** Ends by itself, seen by nobody. */
const pauseMs = (ms: number): Promise<string> => new Promise((resolve) => setTimeout(resolve, ms, "time"));

for (const first of ["wait", "sleep"] as const)
  test(`a body that awaited something beside a ${first} goes on with all its steps, also after a death`, async () => {
    const second = signal<string>("second");
    const job = agent("job", {}).workflows({
      async work(wf) {
        const never = first === "wait" ? wf.wait(go) : wf.sleep("never", "100d");
        await Promise.race([never, pauseMs(20)]);
        await wf.sleep("nap", "1s");
        await wf.run("a", () => 1);
        return wf.wait(second);
      },
    });
    await using mesh = await testMesh({ agents: [job] });
    const run = await mesh.workflows(job, "j").work.start();
    const until = async (isSo: (status: WorkflowStatus) => boolean) => {
      for (let looks = 0; !isSo(await run.status()); looks += 1) {
        assert.ok(looks < 200, JSON.stringify(await run.status()));
        await pauseMs(5);
        await mesh.advance("100ms");
      }
    };
    await until(({ waitsFor }) => waitsFor.includes("second"));
    mesh.kill();
    await run.signal(second, "yes");
    await until(({ result }) => result === "yes");
  });

test("a body that goes on by itself is wanted while its step is done, wherever its node dies", async () => {
  const asked: string[] = [];
  const { promise } = Promise.withResolvers<void>();
  const job = agent("job", {}).workflows({
    async work(wf) {
      await Promise.race([wf.wait(go), pauseMs(20)]);
      await wf.run("pay", () => (asked.push("pay"), asked.length === 1 ? promise : undefined));
    },
  });
  await using mesh = await testMesh({ agents: [job] });
  const run = await mesh.workflows(job, "j").work.start();
  while (asked.length === 0) await pauseMs(5);
  await mesh.settle();
  mesh.kill();
  await mesh.advance("10s");
  await pauseMs(40);
  await mesh.advance("10s");
  assert.deepEqual([asked, (await run.status()).phase], [["pay", "pay"], "done"]);
});
