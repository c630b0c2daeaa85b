import assert from "node:assert/strict";
import { test } from "node:test";
import { type CallParts, plainCall } from "../../test/call.ts";
import { keyOf, other, recordOf, stored } from "../../test/lane-rig.ts";
import { messagesOf, reactorRig, reasonsOf } from "../../test/reactor-rig.ts";
import { fail } from "../call/index.ts";
import { firstResendMs } from "../lane/constants.ts";
import { lateGraceMs, nodeCallsMax } from "./calls.ts";
import { workersLostMax } from "./reactor.ts";

test("calls and activations go on beyond 2^32", () => {
  const at = reactorRig({ first: 2 ** 32 - 3 });
  for (let turn = 1; turn <= 6; turn += 1) {
    at.submit();
    at.settle();
    at.turned(turn - 1, turn);
    at.settle();
  }
  assert.deepEqual(reasonsOf(at.answers), ["ok", "ok", "ok", "ok", "ok", "ok"]);
  const numbers = at.ran.map(({ head }) => head.number);
  assert.equal(new Set(numbers).size, 6);
  assert.ok(Math.min(...numbers) < 2 ** 32 && Math.max(...numbers) > 2 ** 32);
});

test("an opening that is refused fails the call and claims nothing", () => {
  const at = reactorRig({ refusal: fail("no_capacity", "full") });
  at.submit();
  at.settle();
  assert.deepEqual(reasonsOf(at.answers), ["no_capacity"]);
  assert.deepEqual([at.appends, at.ran], [0, []]);
  assert.ok(at.reactor.isEmpty);
});

test("an order that is refused an opening claims nothing", () => {
  const at = reactorRig({ refusal: fail("no_capacity", "full") });
  at.submit({ head: { type: "wake" } });
  at.settle();
  assert.deepEqual([reasonsOf(at.answers), at.appends], [["no_capacity"], 0]);
});

test("calls that waited when their thread ended open the session again with the devices that it held", () => {
  const devices = [{ uuid: "gpu-0", whole: true, milli: 1000, memoryMib: 81_920 }];
  const at = reactorRig({ devices });
  at.submit();
  at.settle();
  at.loseThread([]);
  at.settle();
  assert.deepEqual(
    at.opened.map(({ granted }) => granted),
    [undefined, devices],
  );
});

test("an append without an answer is sent again when its time has come", () => {
  const at = reactorRig();
  at.submit();
  at.settle();
  at.turned(0, 1);
  at.timers.pass(firstResendMs - 1);
  assert.equal(at.appends, 1);
  at.timers.pass(1);
  assert.equal(at.appends, 2);
});

test("a node takes nodeCallsMax calls at once and refuses the next", () => {
  const at = reactorRig();
  for (let call = 0; call < nodeCallsMax; call += 1) at.submit({ grant: "g" });
  at.submit({ grant: "g" })("caller");
  assert.deepEqual(reasonsOf(at.answers), ["queue_full"]);
  assert.equal(at.checks.length, nodeCallsMax, "the grant of the last one is not looked at");
});

test("a call whose grant is still looked at is answered at its deadline, and does not run afterwards", () => {
  const at = reactorRig();
  at.submit({ grant: "g" }, 500);
  at.timers.pass(500);
  assert.deepEqual(reasonsOf(at.answers), ["turn_timeout"]);
  assert.match(messagesOf(at.answers)[0] ?? "", /it did not begin/);
  at.checks[0]?.(plainCall(99, 0));
  at.settle();
  assert.deepEqual([at.ran, at.opened], [[], []]);
  assert.ok(at.reactor.isEmpty);
});

test("a grant that is refused answers the call, and nothing is opened", () => {
  const at = reactorRig();
  at.submit({ grant: "g" });
  at.checks[0]?.(fail("grant_refused", "no"));
  assert.deepEqual(reasonsOf(at.answers), ["grant_refused"]);
  assert.ok(at.reactor.isEmpty);
});

test("a deadline is met though no lane answers", () => {
  const at = reactorRig();
  at.submit({}, 300);
  at.timers.pass(299);
  assert.deepEqual(at.answers, []);
  at.timers.pass(1);
  assert.deepEqual(reasonsOf(at.answers), ["turn_timeout"]);
});

test("at the end of the node every call is answered", () => {
  const at = reactorRig();
  at.submit();
  at.submit();
  at.reactor.close();
  assert.deepEqual(reasonsOf(at.answers), ["closed", "closed"]);
});

test("when everything is refused, calls that wait are told so too, and nothing is opened for them", () => {
  const at = reactorRig();
  at.submit();
  at.submit({ grant: "g" });
  at.reactor.refuseAll(fail("data_loss", "the store is gone"));
  at.submit();
  assert.deepEqual(reasonsOf(at.answers), ["data_loss", "data_loss", "data_loss"]);
  at.checks[0]?.(fail("grant_refused", "too late"));
  at.timers.pass(60_000);
  assert.equal(at.answers.length, 3);
  assert.deepEqual(at.opened, []);
});

test("an agent that is not deployed answers the call, and nothing is opened", () => {
  const at = reactorRig({ unknown: fail("agent_not_found", "no agent counter") });
  at.submit();
  assert.deepEqual(reasonsOf(at.answers), ["agent_not_found"]);
  assert.ok(at.reactor.isEmpty);
});

test("one call runs and queueMax wait; the next is refused, until one is answered", () => {
  const at = reactorRig({ queueMax: 2 });
  for (let call = 0; call < 4; call += 1) at.submit();
  assert.deepEqual(reasonsOf(at.answers), ["queue_full"]);
  at.settle();
  at.turned(0, 1);
  at.settle();
  assert.deepEqual(reasonsOf(at.answers), ["queue_full", "ok"]);
  at.submit();
  at.submit();
  assert.deepEqual(reasonsOf(at.answers), ["queue_full", "ok", "queue_full"]);
});

test("a session sleeps once it was idle for as long as its agent says, not while it has a call", () => {
  const at = reactorRig().owning();
  at.timers.pass(59_999);
  at.reactor.sleepIdle();
  assert.deepEqual(at.cuts, []);
  at.submit({}, 100_000);
  at.timers.pass(60_000);
  at.reactor.sleepIdle();
  assert.deepEqual(at.cuts, []);
  at.turned(1, 2);
  at.settle();
  at.timers.pass(60_000);
  at.reactor.sleepIdle();
  assert.deepEqual(at.cuts, [at.activation]);
  at.cut(2);
  at.settle();
  assert.ok(at.reactor.isEmpty);
});

test("a session whose turn a full store rejected is read without a claim, until it was idle", () => {
  const at = reactorRig().owning();
  at.fill();
  at.submit();
  at.turned(1, 2);
  at.settle();
  at.submit({ head: { readonly: true } });
  at.settle();
  at.read(2, 0);
  assert.deepEqual(reasonsOf(at.answers), ["store_full", "ok"]);
  at.submit();
  at.turned(3, 1);
  at.settle();
  assert.equal(at.appends, 3);
  assert.ok(!at.reactor.isEmpty, "what is known of the session's last record is kept");
  at.timers.pass(60_000);
  at.reactor.sleepIdle();
  assert.ok(at.reactor.isEmpty);
});

test("a session whose turn a full store rejected is put to sleep", async () => {
  const at = reactorRig().owning();
  at.fill();
  at.submit();
  at.turned(1, 2);
  at.settle();
  await at.reactor.sleep(plainCall(0, 0).token);
  assert.ok(at.reactor.isEmpty);
});

test("a session has rested when no call was here for that long", () => {
  const at = reactorRig();
  const { token } = plainCall(0, 0);
  assert.ok(at.reactor.hasRested(token, 1000), "it is not here at all");
  at.submit();
  at.timers.pass(1000);
  assert.ok(!at.reactor.hasRested(token, 1000), "it has a call");
  at.settle();
  at.turned(0, 1);
  at.settle();
  at.timers.pass(999);
  assert.ok(!at.reactor.hasRested(token, 1000));
  at.timers.pass(1);
  assert.ok(at.reactor.hasRested(token, 1000));
});

test("a drain lets calls end, puts every session to sleep, and is over when none is left", async () => {
  const at = reactorRig().owning();
  at.submit();
  let isOver = false;
  const drained = at.reactor.drain().then(() => {
    isOver = true;
  });
  assert.deepEqual(at.cuts, [], "it has a call");
  at.turned(1, 2);
  at.settle();
  at.reactor.sleepIdle();
  assert.deepEqual(at.cuts, [at.activation]);
  await Promise.resolve();
  assert.ok(!isOver);
  at.cut(2);
  at.settle();
  await drained;
});

test("a drain of a node without sessions is over at once", async () => {
  await reactorRig().reactor.drain();
});

test("a session that is not in memory sleeps already", async () => {
  await reactorRig().reactor.sleep(plainCall(0, 0).token);
});

test("sessions of an old revision are put to sleep, others go on", async () => {
  const at = reactorRig().owning();
  await at.reactor.retire([at.activation, 999]);
  assert.deepEqual(at.cuts, []);
  at.retired.add(at.activation);
  const retired = at.reactor.retire([at.activation]);
  assert.deepEqual(at.cuts, [at.activation]);
  at.cut(1);
  at.settle();
  await retired;
  assert.ok(at.reactor.isEmpty);
});

test("the call that held its thread for too long is answered so, the one beside it runs again", () => {
  const at = reactorRig().owning();
  at.submit({ head: { readonly: true } });
  at.submit({ head: { readonly: true } });
  at.loseThread([1, 2], { overdue: 1, holder: 1 });
  at.settle();
  assert.deepEqual(reasonsOf(at.answers), ["turn_timeout"]);
  assert.equal(at.ended.length, 2);
  assert.equal(at.ran.length, 4, "one of them was handed over again");
});

test("the call whose handler ended its thread fails", () => {
  const at = reactorRig().owning();
  at.submit({ head: { readonly: true } });
  at.loseThread([1], { holder: 1 });
  assert.deepEqual(reasonsOf(at.answers), ["internal"]);
});

test("the call that began last in a thread that was spoiled may have done it: it is no fault of its own", () => {
  const at = reactorRig().owning();
  at.submit();
  at.submit({ head: { readonly: true } });
  at.loseThread([1], { last: 1 });
  const [answer] = at.answers;
  assert.ok(answer?.ok === false && answer.failure.by === "thread", "a message counts it");
  assert.deepEqual([answer.failure.code, answer.failure.reason], ["unavailable", "worker_lost"]);
  at.loseThread([2], { last: 2 });
  at.settle();
  assert.equal(at.answers.length, 1, "a reader runs again");
});

test("a reader runs again when its thread ends, but not for ever", () => {
  const at = reactorRig().owning();
  at.submit({ head: { readonly: true } });
  for (let lost = 1; lost < workersLostMax; lost += 1) {
    at.loseThread([lost]);
    at.settle();
    assert.deepEqual(at.answers, [], `after ${lost} threads`);
  }
  at.loseThread([workersLostMax]);
  assert.deepEqual(reasonsOf(at.answers), ["internal"]);
});

test("a thread that ends counts nothing against calls that had not begun", () => {
  const at = reactorRig().owning();
  at.submit({ head: { readonly: true } });
  for (let lost = 0; lost < 2 * workersLostMax; lost += 1) {
    at.loseThread([]);
    at.settle();
  }
  assert.deepEqual([at.answers, at.ended], [[], []]);
});

test("how long a handler may hold its thread is known of calls that a worker has", () => {
  const at = reactorRig();
  at.submit();
  assert.equal(at.reactor.holdLimit(1), undefined);
  at.settle();
  at.submit({ method: "slow", head: { readonly: true } });
  assert.deepEqual(
    at.ran.map(({ head }) => at.reactor.holdLimit(head.number)),
    [
      { ms: 1_000, name: "maxTurn" },
      { ms: 5_000, name: "the handler's timeout" },
    ],
  );
});

/** A call to a session that another node owns. */
function passOn(more: CallParts = {}, forMs?: number) {
  const at = reactorRig({ last: stored(5, recordOf(other, 1)) });
  const takeBack = at.submit(more, forMs);
  at.settle();
  const passed = at.passed[0] ?? assert.fail("it was not passed on");
  return { at, takeBack, passed };
}

test("a call is passed on with one hop more, and its answer is the caller's", () => {
  const { at, passed } = passOn();
  assert.equal(passed.call.head.hops, 1);
  passed.told.answered(fail("queue_full", "there"), {});
  assert.deepEqual(reasonsOf(at.answers), ["queue_full"]);
});

test("a passed call that got lost goes again if it has an id or only reads", () => {
  for (const head of [{ id: keyOf(1) }, { readonly: true }]) {
    const { at, passed } = passOn({ head });
    passed.told.lost();
    at.settle();
    assert.deepEqual([at.passed.length, at.answers], [2, []]);
    const begun = at.passed.map(({ call }) => call.head.mayHaveBegun);
    assert.deepEqual(begun, [false, true], "nobody says of it that it did not begin");
  }
});

test("of a passed call that got lost otherwise nobody knows what became of it", () => {
  for (const head of [{}, { type: "end" as const, id: keyOf(1) }, { type: "wake" as const }]) {
    const { at, passed } = passOn({ head });
    passed.told.lost();
    at.settle();
    assert.deepEqual([at.passed.length, reasonsOf(at.answers)], [1, ["not_owner"]]);
  }
});

test("a passed call that nobody got comes back and goes where the session is then", () => {
  const { at, passed } = passOn();
  passed.told.undelivered();
  at.timers.pass(1_000);
  at.settle();
  assert.deepEqual([at.passed.length, at.answers], [2, []]);
});

test("a passed call whose caller leaves is taken back", () => {
  const { at, passed, takeBack } = passOn();
  takeBack("caller");
  assert.deepEqual([passed.taken, reasonsOf(at.answers)], [["caller"], ["interrupted"]]);
  takeBack("caller");
  assert.deepEqual(passed.taken, ["caller"], "once");
});

test("a passed call is answered at its deadline by the node that its caller asked, and taken back", () => {
  const { at, passed } = passOn({}, 500);
  at.timers.pass(500);
  assert.deepEqual([passed.taken, at.answers], [[], []], "the other node knows better, if it answers");
  at.timers.pass(lateGraceMs);
  assert.deepEqual([passed.taken, reasonsOf(at.answers)], [["deadline"], ["turn_timeout"]]);
  passed.told.undelivered();
  passed.told.answered({ ok: true, content: "json", body: new Uint8Array(0) }, {});
  assert.equal(at.answers.length, 1);
});
