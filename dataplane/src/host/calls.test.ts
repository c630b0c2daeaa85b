import assert from "node:assert/strict";
import { describe, mock, test } from "node:test";
import { sessionToken } from "@voda/proto/session";
import type { Answer, Invocation } from "../invocation.ts";
import { callsMax, createCalls, deadlineTickMs, type LiveCall } from "./calls.ts";

const name = { namespace: "default", agent: "a", key: "k" };
const invocation = (deadlineMs: number): Invocation => ({
  name,
  token: sessionToken(name),
  method: "m",
  readonly: false,
  content: "json",
  body: new Uint8Array(0),
  deadlineMs,
  id: undefined,
  keepMs: 0,
  bodyHash: new Uint8Array(16),
  caller: "me",
  traceparent: undefined,
  hops: 0,
  grant: undefined,
});
const ok: Answer = { ok: true, content: "json", body: new Uint8Array(0) };

describe("calls", () => {
  function rig(onLate: (call: LiveCall) => void = () => undefined) {
    mock.timers.enable({ apis: ["setInterval"] });
    let wallMs = 1_000_000;
    const calls = createCalls({ wallMs: () => wallMs, monotonicMs: () => 0 }, onLate);
    const answers: string[] = [];
    const reply = (answer: Answer): void => void answers.push(answer.ok ? "ok" : answer.failure.reason);
    const pass = (ms: number): void => {
      wallMs += ms;
      mock.timers.tick(deadlineTickMs);
    };
    const end = (): void => {
      calls[Symbol.dispose]();
      mock.timers.reset();
    };
    return { calls, answers, reply, pass, end, nowMs: () => wallMs };
  }

  test("a call is answered once", () => {
    const { calls, answers, reply, end, nowMs } = rig();
    const call = calls.add(invocation(nowMs() + 100), reply);
    assert.ok(call !== undefined && calls.get(call.number) === call);
    calls.answer(call.number, ok);
    calls.answer(call.number, ok);
    assert.deepEqual([answers, calls.size], [["ok"], 0]);
    end();
  });

  test("what is not answered by its deadline is told, then answered, once and no tick early", () => {
    const late: number[] = [];
    const { calls, answers, reply, pass, end, nowMs } = rig((call) => late.push(call.number));
    const call = calls.add(invocation(nowMs() + 100), reply);
    pass(75);
    pass(25);
    assert.deepEqual([late, answers], [[], []]);
    pass(deadlineTickMs);
    pass(1000);
    assert.deepEqual([late, answers], [[call?.number], ["turn_timeout"]]);
    end();
  });

  test("who is told of a late call may answer it", () => {
    const { calls, answers, reply, pass, end, nowMs } = rig((call) => calls.answer(call.number, ok));
    calls.add(invocation(nowMs()), reply);
    pass(2 * deadlineTickMs);
    assert.deepEqual(answers, ["ok"]);
    end();
  });

  test("deadlines that pass in a long pause are met in their order, those to come are not", () => {
    const late: number[] = [];
    const { calls, reply, pass, end, nowMs } = rig((call) => late.push(call.number));
    const numbers = [300, 100, 200, 900_000].map((ms) => calls.add(invocation(nowMs() + ms), reply)?.number);
    pass(600_000);
    assert.deepEqual(late, [numbers[1], numbers[2], numbers[0]]);
    pass(600_000);
    assert.equal(late.length, 4);
    end();
  });

  test("a clock that is set back delays deadlines and loses none", () => {
    const { calls, answers, reply, pass, end, nowMs } = rig();
    calls.add(invocation(nowMs() + 50), reply);
    pass(-10_000);
    assert.deepEqual(answers, []);
    pass(10_100);
    assert.deepEqual(answers, ["turn_timeout"]);
    end();
  });

  test("a call whose deadline has passed already is late at the next tick", () => {
    const { calls, answers, reply, pass, end, nowMs } = rig();
    calls.add(invocation(nowMs() - 5_000), reply);
    pass(deadlineTickMs);
    assert.deepEqual(answers, ["turn_timeout"]);
    end();
  });

  test("more calls than callsMax are refused at once", () => {
    const { calls, answers, reply, end, nowMs } = rig();
    for (let i = 0; i < callsMax; i += 1) calls.add(invocation(nowMs() + 1_000), () => undefined);
    assert.equal(calls.add(invocation(nowMs() + 1_000), reply), undefined);
    assert.deepEqual(answers, ["queue_full"]);
    end();
  });

  test("what is left at the end is answered", () => {
    const { calls, answers, reply, end, nowMs } = rig();
    calls.add(invocation(nowMs() + 1_000), reply);
    end();
    assert.deepEqual(answers, ["closed"]);
  });
});
