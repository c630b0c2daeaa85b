import assert from "node:assert/strict";
import { describe, mock, test } from "node:test";
import { setImmediate as loopTick } from "node:timers/promises";
import { ByteWriter, systemClock } from "@voda/stdx";
import { agent, s } from "voda";
import { activationRig, until } from "../../test/activation-rig.ts";
import { decodeAnswer } from "../call/index.ts";
import { threadAnswersBytesMax } from "../threads/index.ts";

describe("an activation", () => {
  test("runs turns one after another and numbers them", async () => {
    const { run, value, held, said } = activationRig();
    const first = run("addHeld", 2);
    const second = run("add", 3);
    assert.equal(said.length, 0);
    held.open();
    await until(() => said.length === 2);
    assert.deepEqual([value(first), value(second)], [2, 5]);
    assert.deepEqual(
      said.map((one) => one.type === "turned" && one.turn),
      [1, 2],
    );
  });

  test("tells when a turn cannot be told: it is not lost without a word", async () => {
    const target = agent("target").handlers({ take: () => null });
    const sender = agent("sender", { count: s.counter() }).handlers({
      async sends(ctx) {
        await loopTick();
        ctx.send(target, "k").take();
        return ctx.state.count.add(1);
      },
    });
    const { run, activation, checks, broken, said } = activationRig(sender);
    run("sends");
    await until(() => checks.length === 1);
    const spoiled = mock.method(ByteWriter.prototype, "varint", (value: number) => {
      throw new RangeError(`varint of ${value}`);
    });
    activation.askAnswered(1, { ok: true, content: "json", body: new Uint8Array(0) });
    await until(() => broken.length > 0 || said.length > 0);
    spoiled.mock.restore();
    assert.deepEqual([broken.length, said], [1, []]);
    assert.match(String(broken[0]), /^RangeError: varint of /);
    activation.close(); // its turn, which nobody ends, would keep the process for its maxTurn
  });

  test("refuses an answer that has no room behind those that wait, and nothing has changed", () => {
    let waitingBytes = threadAnswersBytesMax;
    const { run, value, reason, message } = activationRig(undefined, () => waitingBytes);
    const [writer, reader] = [run("add", 5), run("get")];
    assert.deepEqual([reason(writer), reason(reader)], ["queue_full", "queue_full"]);
    assert.match(message(writer), /take 67108864 bytes; .* threadAnswersBytesMax 67108864: retry later$/);
    waitingBytes = 0;
    assert.equal(value(run("add", 2)), 2);
  });

  test("closes the view of every reader that has answered", async () => {
    const { run, value, views, held, said } = activationRig();
    assert.deepEqual(value(run("get")), { count: 0, name: "none" });
    assert.equal(views(), 0, "a reader that returns at once");
    const slow = run("slowGet");
    assert.equal(views(), 1);
    held.open();
    await until(() => said.length === 2);
    assert.equal(value(slow), 0);
    assert.equal(views(), 0, "a reader that awaits");
  });

  test("lets a reader finish on the state that it started on, whatever turns take place beside it", async () => {
    const { run, value, views, held, said } = activationRig();
    const reader = run("slowGet");
    run("add", 4);
    held.open();
    await until(() => said.length === 2);
    assert.equal(value(reader), 0);
    assert.equal(views(), 0);
  });

  test("undoes a turn that runs longer than maxTurn, and aborts its signal", async () => {
    const { run, reason, message, value, seen, logged, said } = activationRig();
    const hung = run("hang");
    await until(() => said.length === 1);
    assert.equal(reason(hung), "turn_timeout");
    assert.deepEqual(seen, ["turn_timeout"]);
    assert.match(message(hung), /its handler still awaits something; give what it awaits a time limit/);
    assert.deepEqual(logged, [`handler failed: ${message(hung)}`]);
    assert.equal(value(run("add", 1)), 1);
  });

  test("a schema that does not answer is told as what is waited for: the handler did not begin", async () => {
    const { run, message, said } = activationRig();
    const unread = run("unread", 1);
    await until(() => said.length === 1);
    assert.match(
      message(unread),
      /: its handler did not begin: the schema of its input still awaits something; /,
    );
  });

  test("a handler's own timeout counts instead of maxTurn", async () => {
    const { run, said } = activationRig();
    run("brief");
    await until(() => said.length === 1);
    const [end] = said;
    assert.ok(end?.type === "failed");
    const answer = decodeAnswer(end.answer);
    assert.ok(!answer.ok);
    assert.match(
      answer.failure.message,
      /^the turn ran longer than the handler's timeout 5 ms and was undone: .* or raise the handler's timeout$/,
    );
  });

  test("a handler that takes no input is not said to have missed it", () => {
    const { run, message } = activationRig();
    assert.doesNotMatch(message(run("wrongShape")), /the input was absent/);
  });

  test("ends a reader that runs longer than maxTurn", async () => {
    const { run, reason, views, said } = activationRig();
    const reader = run("never");
    await until(() => said.length === 1);
    assert.equal(reason(reader), "turn_timeout");
    assert.equal(views(), 0);
  });

  test("drops what is cancelled at its deadline and lets the next one run", () => {
    const { activation, run, value, said } = activationRig();
    const hung = run("hang");
    const next = run("add", 1);
    activation.cancel(hung, "deadline");
    assert.deepEqual(said[0], {
      type: "dropped",
      activation: 7,
      call: hung,
      why: "deadline",
      hasBegun: true,
    });
    assert.equal(value(next), 1);
  });

  test("a caller that goes away stops its queued call and undoes the running one, whose session goes on", async () => {
    const { activation, run, said, held, state } = activationRig();
    const running = run("addHeld", 1);
    const queued = run("add", 1);
    activation.cancel(queued, "caller");
    activation.cancel(running, "caller");
    const next = run("add", 1);
    held.open();
    await until(() => said.length === 3);
    assert.deepEqual(
      said.map((one) => [one.type, one.call]),
      [
        ["dropped", queued],
        ["dropped", running],
        ["turned", next],
      ],
    );
    assert.equal(state.seq, 1);
  });

  test("a call without time left runs nothing", () => {
    const { run, said, state } = activationRig();
    run("add", 1, { deadlineMs: systemClock.monotonicMs() - 1 });
    assert.equal(said[0]?.type, "dropped");
    assert.equal(state.seq, 0);
  });

  test("nothing is said after close, whatever the handler still does", async () => {
    const { activation, run, said, held, views } = activationRig();
    run("addHeld", 1);
    run("slowGet");
    activation.close();
    held.open();
    await loopTick();
    assert.deepEqual(said, []);
    assert.equal(views(), 0);
  });

  test("a cut is a snapshot of what is executed", () => {
    const { activation, run, cuts } = activationRig();
    run("add", 1);
    activation.cut();
    assert.deepEqual(cuts, [[1, 2]]);
  });

  test("an error thrown on purpose tells its code and leaves no state", () => {
    const { run, value, answerOf } = activationRig();
    const answer = answerOf(run("refuse", "not today"));
    assert.ok(!answer.ok);
    assert.deepEqual(answer.failure, {
      code: "failed_precondition",
      reason: "user",
      message: "not today",
      metadata: {},
      by: "handler",
    });
    assert.deepEqual(value(run("get")), { count: 0, name: "none" });
  });

  test("an error that is too large, mistyped or no error at all is answered, and the session goes on", async () => {
    const { run, reason, value, said } = activationRig();
    assert.equal(reason(run("refuse", "x".repeat(2 * 1024 * 1024))), "too_large");
    assert.equal(reason(run("strange")), "internal");
    const odd = run("thenable");
    await until(() => said.length === 3);
    assert.equal(reason(odd), "internal");
    assert.equal(value(run("add", 1)), 1);
  });

  test("what throws when it is only looked at is the call's failure, and the session goes on", () => {
    const { run, reason, value, logged } = activationRig();
    const strange = ["revoked", "thenGetter", "badInspect", "unwritable", "strangePromise"];
    for (const method of strange) assert.equal(reason(run(method)), "internal");
    assert.equal(logged.length, strange.length);
    assert.equal(value(run("add", 1)), 1);
  });

  test("an error with a code that does not exist keeps its message, and the log says which code it had", () => {
    const { run, answerOf, logged } = activationRig();
    const answer = answerOf(run("wrongError"));
    assert.ok(!answer.ok);
    assert.deepEqual(answer.failure, {
      code: "unknown",
      reason: "user",
      message: "7",
      metadata: {},
      by: "handler",
    });
    assert.match(logged[0] ?? "", /has the code "nonsense"/);
  });

  test("a call is marked as begun from its start until its outcome is said", async () => {
    const { run, held, hasBegun, said, activation } = activationRig();
    const first = run("addHeld", 1);
    const second = run("addHeld", 1);
    assert.deepEqual([hasBegun(first), hasBegun(second)], [true, false]);
    held.open();
    await until(() => said.length === 2);
    assert.deepEqual([hasBegun(first), hasBegun(second)], [false, false]);
    const cut = run("hang");
    activation.close();
    assert.equal(hasBegun(cut), false);
  });

  test("a method that this revision does not have is refused", () => {
    const { run, reason } = activationRig();
    assert.equal(reason(run("gone")), "draining");
    assert.equal(reason(run("add", 1, { readonly: true })), "draining");
  });

  test("input that is no JSON is the caller's mistake", () => {
    const { run, reason } = activationRig();
    assert.equal(reason(run("add", 1, { body: new TextEncoder().encode("{") })), "bad_request");
    assert.equal(reason(run("add", 1, { content: "proto" })), "bad_request");
  });
});
