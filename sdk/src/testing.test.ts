// What a test of an author of agents may rely on.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { readError } from "./answer.ts";
import { agent, s, VodaError } from "./index.ts";
import { testMesh } from "./testing.ts";

const diary = agent("diary", { notes: s.map<string>() }).handlers({
  note(ctx, { of, text }: { of: string; text: string }) {
    if (text === "") throw new VodaError("invalid_argument", "an empty note");
    ctx.state.notes.set(of, text);
  },
  noteFrom(ctx, ms: number) {
    if (ctx.now() < ms) throw new VodaError("unavailable", "too early");
    ctx.state.notes.set("late", "at last");
  },
});
const purse = agent("purse", { cents: s.counter() }).handlers({
  add: (ctx, by: number) => ctx.state.cents.add(by),
  hang: () => new Promise<null>(() => undefined),
});
const account = agent(
  "account",
  { cents: s.counter(), title: s.register("new") },
  { idle: "1m", maxTurn: "2s" },
)
  .readonly({ cents: (ctx) => ctx.state.cents.value, time: (ctx) => ctx.now() })
  .handler("audit", { access: "internal" }, (ctx) => ctx.state.cents.value)
  .handlers({
    add: (ctx, by: number) => ctx.state.cents.add(by),
    async move(ctx, { to, cents }: { to: string; cents: number }) {
      ctx.state.cents.add(-cents);
      ctx.send(diary, to).note({ of: ctx.key, text: `${cents}` });
      return ctx.ask(purse, to).add(cents);
    },
    async slow(ctx, ms: number) {
      await pause(ms);
      return ctx.state.cents.add(1);
    },
    remind(ctx, text: string) {
      ctx.schedule(diary, ctx.key, { in: "1h" }).note({ of: "reminder", text });
    },
    hang: () => new Promise<null>(() => undefined),
    tell(ctx, text: string) {
      ctx.log.warn(text, { cents: ctx.state.cents.value });
    },
    tellNobody(ctx) {
      ctx.send(diary, "d").note({ of: "", text: "" });
    },
    draw: (ctx) => ({ uuid: ctx.uuid(), random: ctx.random() }),
    async collect(ctx, keys: readonly string[]) {
      const asks = keys.map((key) => ctx.ask(purse, key).add(1));
      const { ok, failed, late } = await ctx.gather([...asks, ctx.ask(purse, "busy").hang()], {
        timeout: "1s",
      });
      return { ok: ok.length, failed: failed.length, late };
    },
    sendLate(ctx) {
      ctx.send(diary, "late").noteFrom(ctx.now() + 30_000);
    },
  });
const agents = [account, diary, purse] as const;

test("a mesh is there within 50 ms of work", async () => {
  await using first = await testMesh({ agents });
  assert.equal(first.now(), Date.UTC(2026, 0, 1));
  // of several: the thread also compiles and collects what other tests have left
  const us: number[] = [];
  for (let round = 0; round < 5; round += 1) {
    const before = process.threadCpuUsage();
    await using mesh = await testMesh({ agents });
    assert.equal(await mesh.client.account("a").add(1), 1);
    const { user, system } = process.threadCpuUsage(before);
    us.push(user + system);
  }
  assert.ok(Math.min(...us) < 50_000, `${us.join()} us`);
});

test("turns commit, ask and send as in any mesh", async () => {
  await using mesh = await testMesh({ agents });
  const ann = mesh.client.account("ann");
  assert.deepEqual(mesh.state(account, "ann"), { cents: 0, title: "new" });
  await ann.add(100);
  assert.equal(await ann.move({ to: "bob", cents: 30 }), 30);
  await mesh.settle();
  assert.deepEqual(mesh.state(account, "ann"), { cents: 70, title: "new" });
  assert.equal(mesh.state(purse, "bob").cents, 30);
  assert.deepEqual(mesh.state(diary, "bob"), { notes: { ann: "30" } });
  assert.deepEqual(mesh.deadLetters, []);
});

test("what callers may not do is refused as by the mesh", async () => {
  await using mesh = await testMesh({ agents });
  const reason = async (method: string, body: string): Promise<string> => {
    const headers = { "content-type": "application/json" };
    const response = await mesh.fetch(`http://mesh/agents/account/a/${method}`, {
      method: "POST",
      headers,
      body,
    });
    return readError(response.status, await response.text()).reason;
  };
  assert.equal(await reason("audit", ""), "method_not_found");
  assert.equal(await reason("add", '"much"'), "bad_request");
  await assert.rejects(mesh.client.diary("d").note({ of: "a", text: "" }), { reason: "user" });
  assert.throws(() => mesh.state(agent("acount").handlers({}), "a"), /agent acount is not in this mesh/);
});

test("when the node dies, what was answered is there, and what was not takes effect once", async () => {
  await using mesh = await testMesh({ agents });
  const ann = mesh.client.account("ann");
  await ann.add(1);
  const late = ann.slow(5);
  const moved = ann.move({ to: "bob", cents: 2 });
  mesh.kill();
  assert.equal(mesh.state(account, "ann").cents, 1);
  assert.equal(await late, 2);
  mesh.kill();
  assert.equal(await moved, 2);
  await mesh.settle();
  assert.equal(mesh.state(purse, "bob").cents, 2);
  assert.deepEqual(mesh.state(diary, "bob"), { notes: { ann: "2" } });
});

test("a call that is repeated under its id takes effect once, also beyond a death", async () => {
  await using mesh = await testMesh({ agents });
  const once = mesh.client.account("a").$with({ id: "r1" });
  assert.equal(await once.add(5), 5);
  mesh.kill();
  assert.equal(await once.add(5), 5);
  assert.equal(mesh.state(account, "a").cents, 5);
});

test("logs, sets and lists have what was answered, and nothing of failed turns, when the node dies", async () => {
  const fields = { said: s.log<string>({ keep: 40 }), last: s.set<number>(), newest: s.list<number>() };
  const chat = agent("chat", fields)
    .readonly({ latest: ({ state }) => state.said.last(2) })
    .handlers({
      say(ctx, text: string) {
        const place = ctx.state.said.append(text);
        ctx.state.newest.insert(0, place);
        if (ctx.state.newest.length > 3) ctx.state.newest.delete(3);
        ctx.state.last.delete(place - 1);
        ctx.state.last.add(place);
        if (text === "") throw new VodaError("invalid_argument", `place ${place} would be empty`);
        return [place, ctx.state.said.at(-1)];
      },
      forget: (ctx, place: number) => ctx.state.said.redact(place),
    });
  await using mesh = await testMesh({ agents: [chat] });
  const { say, forget, latest } = mesh.client.chat("c");
  const long = "x".repeat(2_000);
  for (let place = 0; place < 50; place += 1) {
    const text = `${place} ${long}`;
    if (place % 10 === 9) mesh.kill();
    assert.deepEqual(await say(text), [place, text]);
    await assert.rejects(say(""), { message: `place ${place + 1} would be empty` });
  }
  assert.deepEqual(await Promise.all([11, 9].map((place) => forget(place))), [true, false]);
  const late = say("late");
  mesh.kill();
  assert.deepEqual(await late, [50, "late"]);
  await mesh.sleep(chat, "c");
  assert.deepEqual(await latest(), [`49 ${long}`, "late"]);
  assert.deepEqual(mesh.state(chat, "c").last, [50]);
  assert.deepEqual(mesh.state(chat, "c").newest, [50, 49, 48]);
  assert.equal(mesh.state(chat, "c").said.length, 39, "of 51 the newest 40, and one is redacted");
});

test("time passes when the test says so: sessions fall asleep, turns end, timers ring", async () => {
  await using mesh = await testMesh({ agents, now: new Date(0) });
  const ann = mesh.client.account("ann");
  assert.equal(await ann.time(), 0);
  await mesh.client.account("d").remind("tea");
  await mesh.advance("59m");
  assert.equal(await ann.time(), 59 * 60_000);
  await ann.add(1);
  assert.deepEqual([mesh.isAwake(account, "ann"), mesh.isAwake(account, "d")], [true, false]);
  assert.deepEqual(mesh.state(diary, "d"), { notes: {} });
  await mesh.advance("62s");
  assert.equal(mesh.isAwake(account, "ann"), false);
  assert.deepEqual(mesh.state(diary, "d"), { notes: { reminder: "tea" } });
  const hung = assert.rejects(ann.hang(), { reason: "turn_timeout" });
  await mesh.advance("2s");
  await hung;
});

test("a session that was put to sleep goes on from what is stored", async () => {
  await using mesh = await testMesh({ agents });
  await mesh.client.account("a").add(3);
  await mesh.sleep(account, "a");
  assert.equal(mesh.isAwake(account, "a"), false);
  assert.equal(await mesh.client.account("a").cents(), 3);
});

test("a message that its target refuses is a dead letter", async () => {
  await using mesh = await testMesh({ agents });
  await mesh.client.account("a").tellNobody();
  await mesh.settle();
  const { message, ...letter } = mesh.deadLetters[0] ?? assert.fail("none");
  assert.deepEqual(letter, {
    from: "account/a",
    to: "diary/d",
    method: "note",
    input: { of: "", text: "" },
    reason: "user",
    attempts: 1,
  });
  assert.match(message, /an empty note/);
});

test("log lines say whose they are", async () => {
  await using mesh = await testMesh({ agents });
  await mesh.client.account("a").tell("look");
  const line = {
    level: "warn",
    message: "look",
    agent: "account",
    key: "a",
    method: "tell",
    request: "1",
    fields: { cents: 0 },
  };
  assert.deepEqual(mesh.log, [line]);
});

test("a seed draws chance, and the order of what happens at the same time", async () => {
  const run = async (seed: number) => {
    await using mesh = await testMesh({ agents, seed });
    const calls = Array.from({ length: 8 }, (_, by) => mesh.client.account("a").add(by));
    return { sums: await Promise.all(calls), drawn: await mesh.client.account("a").draw() };
  };
  const [first, again, other] = [await run(1), await run(1), await run(2)];
  assert.deepEqual(first, again);
  assert.notDeepEqual(first.sums, other.sums);
  assert.notDeepEqual(first.drawn, other.drawn);
  const { uuid, random } = first.drawn;
  assert.match(uuid, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.ok(random >= 0 && random < 1);
});

test("a call that did something outside and fails for good is answered so again, and keeps no room", async () => {
  const charged: string[] = [];
  const desk = agent("desk", { paid: s.counter() }, { dedupe: "1d" }).handlers({
    async pay(ctx, { order, code }: { order: string; code: "failed_precondition" | "unavailable" }) {
      await ctx.run("charge", () => charged.push(order) && "x".repeat(100_000));
      ctx.state.paid.add(1);
      ctx.send(account, "a").add(1);
      throw new VodaError(code, `no room for ${order}`, { reason: "sold_out" });
    },
  });
  await using mesh = await testMesh({ agents: [desk, ...agents] });
  const pay = (order: string, code: "failed_precondition" | "unavailable") =>
    mesh.client.desk("d").$with({ id: order }).pay({ order, code });
  const orders = Array.from({ length: 12 }, (_, i) => `o${i}`);
  const allRefused = async (): Promise<void> => {
    for (const order of orders)
      await assert.rejects(pay(order, "failed_precondition"), {
        code: "failed_precondition",
        reason: "sold_out",
        message: `no room for ${order}`,
      });
  };
  await allRefused();
  mesh.kill();
  await allRefused();
  assert.deepEqual(charged, orders);
  const other = mesh.client.desk("d").$with({ id: "o0" });
  const changed = other.pay({ order: "other", code: "unavailable" });
  await assert.rejects(changed, { reason: "idempotency_key_reused" });
  await mesh.settle();
  assert.deepEqual([mesh.state(desk, "d").paid, mesh.state(account, "a").cents], [0, 0]);
  for (let run = 0; run < 2; run += 1)
    await assert.rejects(pay("again", "unavailable"), { code: "unavailable" });
  assert.equal(charged.length, orders.length + 1, "what may go well later goes through its handler");
});

test("the clock is the same when a turn runs again, up to its last step that is kept", async () => {
  const times: number[][] = [];
  const clock = agent("clock", {}).handlers({
    async read(ctx): Promise<null> {
      const seen = [ctx.now()];
      times.push(seen);
      for (const [step, bytes] of Object.entries({ a: 120_000, b: 120_000, tooLarge: 120_000, d: 1 })) {
        let tries = 0;
        const late = (): string => {
          tries += 1;
          if (tries === 1) throw new Error("not yet");
          return "x".repeat(bytes);
        };
        const result = ctx.run(step, late, { retry: { attempts: 2, delay: "1s" } });
        await result.catch((error: VodaError) => assert.equal(error.reason, "too_large"));
        seen.push(ctx.now());
      }
      throw new VodaError("aborted", "again");
    },
  });
  await using mesh = await testMesh({ agents: [clock] });
  const { read } = mesh.client.clock("c").$with({ id: "r1" });
  for (let run = 0; run < 2; run += 1)
    await Promise.all([assert.rejects(read(), /again/), mesh.advance("10s")]);
  const [first = [], again = []] = times;
  assert.equal(new Set(first).size, 5);
  assert.deepEqual(first.slice(0, 4), again.slice(0, 4));
});

test("times are checked, and patterns read, by the clock of the mesh", async () => {
  const clerk = agent("clerk", {}).handlers({
    plan: (ctx, at: string) => ctx.schedule(diary, "d", { at: new Date(at) }).note({ of: "at", text: at }),
    yearly: (ctx) => ctx.schedule(diary, "d", { cron: "0 0 1 6 *" }).note({ of: "june", text: "1" }),
  });
  await using mesh = await testMesh({ agents: [clerk, diary], now: new Date("2150-05-31T23:00:00Z") });
  await mesh.client.clerk("c").plan("2249-01-01T00:00:00Z");
  await assert.rejects(mesh.client.clerk("c").plan("2251-01-01T00:00:00Z"), /later than timerMsMax/);
  await mesh.client.clerk("c").yearly();
  await mesh.advance("59m");
  assert.deepEqual(mesh.state(diary, "d"), { notes: {} });
  await mesh.advance("2m");
  assert.deepEqual(mesh.state(diary, "d"), { notes: { june: "1" } });
});

test("several are asked at once, until their time is over", async () => {
  await using mesh = await testMesh({ agents });
  const collected = mesh.client.account("a").collect(["x", "y"]);
  await mesh.advance("1s");
  assert.deepEqual(await collected, { ok: 2, failed: 0, late: 1 });
});

test("a message is tried again when its time has come", async () => {
  await using mesh = await testMesh({ agents });
  await mesh.client.account("a").sendLate();
  await mesh.settle();
  assert.deepEqual(mesh.state(diary, "late"), { notes: {} });
  await mesh.advance("1m");
  assert.deepEqual(mesh.state(diary, "late"), { notes: { late: "at last" } });
  assert.deepEqual(mesh.deadLetters, []);
});

test("what a step would do for its turn is refused on the first run, and the next goes by its journal", async () => {
  const fields = { paid: s.counter(), orders: s.map<string>() };
  const shop = agent("shop", fields)
    .workflows({ ship: async (_wf, of: string) => of })
    .handlers({
      wrongStart: (ctx, order: string) => ctx.run(order, () => ctx.start.ship(order).id),
      wrong: (ctx, order: string) => ctx.run(order, () => ctx.state.paid.add(1)),
      wrongSend: (ctx, order: string) => ctx.run(order, () => ctx.send(purse, "p").add(1)),
      async pay(ctx, { order, isDown }: { order: string; isDown: boolean }) {
        const receipt = await ctx.run(order, () => `receipt of ${order}`);
        ctx.state.paid.add(1);
        ctx.send(purse, "p").add(1);
        if (isDown && !hasFailed) {
          hasFailed = true;
          throw new VodaError("unavailable", "the shop restarts");
        }
        return receipt;
      },
    });
  let hasFailed = false;
  await using mesh = await testMesh({ agents: [shop, purse] });
  const s1 = mesh.client.shop("s");
  await assert.rejects(s1.wrong("o1"), {
    reason: "bad_request",
    message:
      /^a write to state\.paid within step "o1": .* return from the step what you need, and do it after$/,
  });
  await assert.rejects(s1.wrongSend("o1"), /^VodaError: ctx\.send\(purse, "p"\)\.add within step "o1": /);
  await assert.rejects(s1.wrongStart("o1"), /^VodaError: ctx\.start\.ship: .* within step "o1": /);
  const again = s1.$with({ id: "o2" });
  await assert.rejects(again.pay({ order: "o2", isDown: true }), /restarts/);
  assert.equal(await again.pay({ order: "o2", isDown: true }), "receipt of o2");
  await mesh.settle();
  assert.deepEqual([mesh.state(shop, "s").paid, mesh.state(purse, "p").cents], [1, 1]);
});

test("what a handler threw is the cause of what its caller gets, and the log names the call", async () => {
  const slip = new Error("always");
  const faulty = agent("faulty").handlers({
    atOnce() {
      throw slip;
    },
    async later() {
      await pause(1);
      throw slip;
    },
    asks: (ctx) => ctx.ask(faultyTarget, "t").atOnce(),
    tells: (ctx) => ctx.send(faultyTarget, "t").atOnce(),
  });
  const faultyTarget = agent("target").handlers({
    atOnce() {
      throw slip;
    },
  });
  await using mesh = await testMesh({ agents: [faulty, faultyTarget] });
  const session = mesh.client.faulty("f");
  for (const call of [
    () => session.atOnce(),
    () => session.later(),
    () => session.asks(),
    () => session.$with({ id: "a" }).atOnce(),
  ]) {
    const error = await call().then(
      () => assert.fail("it answered"),
      (thrown: unknown) => VodaError.from(thrown),
    );
    const [, request] =
      /the handler threw an Error; mesh\.log has it as request (\d+)$/.exec(error.message) ?? [];
    const line = mesh.log.find((one) => one.request === request && one.level === "error");
    assert.equal(line?.message, "handler failed: Error: always");
    assert.equal("at" in line.fields, false, "there is no bundle that would know");
    assert.equal(error.cause, slip);
  }
  await session.tells();
  await mesh.settle();
  await mesh.advance("7d");
  assert.deepEqual(
    mesh.deadLetters.map((letter) => letter.message),
    ["the handler threw an Error; mesh.log has it"],
  );
  assert.match(mesh.log.at(-1)?.message ?? "", /^dead letter .*; mesh\.deadLetters has it$/);
});

test("what a body threw is the cause of how its workflow ended, each session's its own", async () => {
  const faulty = agent("faulty").workflows({
    async work(wf, slip: string) {
      await wf.sleep("a while", "1m");
      throw slip === "on purpose" ? new VodaError("aborted", slip) : new RangeError(slip);
    },
  });
  await using mesh = await testMesh({ agents: [faulty] });
  const end = async (key: string, slip: string): Promise<VodaError> => {
    const run = await mesh.workflows(faulty, key).work.start(slip, { id: "w" });
    mesh.kill();
    const [told] = await Promise.all([run.result().catch((error: unknown) => error), mesh.advance("2m")]);
    return VodaError.from(told);
  };
  const [first, second] = [await end("a", "one"), await end("b", "two")];
  assert.match(first.message, /^workflow "w" threw a RangeError; /);
  assert.deepEqual([first.cause, second.cause], [new RangeError("one"), new RangeError("two")]);
  const again = mesh.workflows(faulty, "a").work.get("w");
  await assert.rejects(again.result(), { cause: new RangeError("one") });
  assert.equal((await end("c", "on purpose")).cause, undefined);
});

test("what a step threw is the cause too, of the step by which the workflow has ended", async () => {
  const slips = agent("slips", { n: s.counter() }).workflows({
    async runs(wf) {
      await Promise.allSettled([wf.run("caught", () => Promise.reject(new TypeError("not this one")))]);
      await wf.run('the "last"', () => {
        throw new RangeError("of a run");
      });
    },
    async turns(wf) {
      await wf.run("undone", () => 1, { undo: () => undefined });
      await wf.tx("t", () => {
        throw new RangeError("of a turn");
      });
    },
    async caught(wf) {
      const slip = (): number => {
        throw new RangeError("handled");
      };
      await Promise.allSettled([wf.tx("caught", slip)]);
      return "half a character: \ud800";
    },
  });
  await using mesh = await testMesh({ agents: [slips] });
  const { runs, turns, caught } = mesh.workflows(slips, "k");
  const cause = async (run: { result(): Promise<unknown> }): Promise<unknown> => {
    mesh.kill();
    const [told] = await Promise.all([run.result().catch((error: unknown) => error), mesh.advance("1m")]);
    return VodaError.from(told).cause;
  };
  assert.deepEqual(await cause(await runs.start()), new RangeError("of a run"));
  assert.deepEqual(await cause(await turns.start()), new RangeError("of a turn"));
  assert.equal(await cause(await caught.start()), undefined);
});

test("what a handler has caught is not the cause of what it throws instead", async () => {
  const target = agent("target").handlers({
    slip() {
      throw new Error("caught");
    },
  });
  const careful = agent("careful").handlers({
    async tries(ctx) {
      await assert.rejects(ctx.ask(target, "t").slip());
      throw new VodaError("aborted", "not today; mesh.log has it as request 1");
    },
  });
  await using mesh = await testMesh({ agents: [careful, target] });
  const error = await mesh.client
    .careful("c")
    .tries()
    .catch((thrown: unknown) => thrown);
  const { code, cause } = VodaError.from(error);
  assert.deepEqual([code, cause], ["aborted", undefined]);
});

test("calls that are left when the mesh is closed fail", async () => {
  const mesh = await testMesh({ agents });
  const left = assert.rejects(mesh.client.account("a").hang(), /the test mesh is closed/);
  await mesh.settle();
  await mesh[Symbol.asyncDispose]();
  await left;
});

test("a mesh that is closed does nothing more, and says so; what is committed is there", async () => {
  const mesh = await testMesh({ agents });
  await mesh.client.account("a").add(3);
  await mesh[Symbol.asyncDispose]();
  await mesh[Symbol.asyncDispose]();
  for (const act of [
    () => mesh.client.account("a").add(1),
    () => mesh.fetch("http://mesh/agents/account/a/cents", { method: "POST" }),
    () => mesh.sleep(account, "a"),
    () => mesh.advance("1s"),
    () => mesh.settle(),
    async () => mesh.kill(),
  ])
    await assert.rejects(act(), /the test mesh is closed/);
  assert.equal(mesh.state(account, "a").cents, 3);
  assert.equal(mesh.isAwake(account, "a"), false);
});

test("bad options are refused by name", async () => {
  await assert.rejects(testMesh({ agents, sed: 1 } as never), /sed/);
  await assert.rejects(testMesh({ agents, seed: 0.5 }), /seed of 0.5/);
  await assert.rejects(testMesh({ agents: [] }), /at least one agent/);
  await assert.rejects(testMesh([account] as never), /^TypeError: testMesh takes an object: testMesh\(/);
});

test("a session is named by its agent and a key, and a slip is told with the call", async () => {
  await using mesh = await testMesh({ agents });
  for (const [act, words] of [
    [() => mesh.state("account" as never, "a"), /^VodaError: mesh\.state takes an agent first, as agent\(/],
    [
      () => mesh.state(account, undefined as never),
      /: mesh\.state\(account, undefined\): the key is of type/,
    ],
    [() => mesh.isAwake(account, 5 as never), /: mesh\.isAwake\(account, number\): .* String\(5\)$/],
  ] as const)
    assert.throws(act, words);
  await assert.rejects(async () => mesh.sleep({} as never, "a"), /mesh\.sleep takes an agent first/);
});
