import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { plainCall } from "../../test/call.ts";
import { testTimers } from "../../test/timers.ts";
import type { Answer, Call } from "../call/index.ts";
import { createCalls, type LiveCall, lateGraceMs, nodeCallsMax } from "./calls.ts";

let numbers = 0;
const callUntil = (deadlineMs: number): Call => plainCall((numbers += 1), deadlineMs);
const numberOf = (live: LiveCall): number => live.call.head.number;
const ok: Answer = { ok: true, content: "json", body: new Uint8Array(0) };

describe("calls", () => {
  function rig(onLate: (call: LiveCall, isLast: boolean) => void = () => undefined) {
    const timers = testTimers();
    const calls = createCalls(timers, onLate);
    const answers: string[] = [];
    const reply = (answer: Answer): void => void answers.push(answer.ok ? "ok" : answer.failure.reason);
    return { calls, answers, reply, pass: timers.pass, nowMs: timers.nowMs, armed: timers.armed };
  }

  test("a call is answered once", () => {
    const { calls, answers, reply, nowMs } = rig();
    const call = callUntil(nowMs() + 100);
    const { number } = call.head;
    calls.add(call, reply);
    assert.equal(calls.get(number)?.call, call);
    calls.answer(number, ok);
    calls.answer(number, ok);
    assert.deepEqual([answers, calls.size], [["ok"], 0]);
  });

  test("what is not answered by its deadline is told, and after a grace answered, once", () => {
    const late: boolean[] = [];
    const { calls, answers, reply, pass, nowMs } = rig((_, isLast) => late.push(isLast));
    calls.add(callUntil(nowMs() + 100), reply);
    pass(99);
    assert.deepEqual([late, answers], [[], []]);
    pass(1);
    assert.deepEqual([late, answers], [[false], []]);
    pass(lateGraceMs);
    assert.deepEqual([late, answers], [[false, true], ["turn_timeout"]]);
    pass(1000);
    assert.equal(answers.length, 1);
  });

  test("who is told of a late call may answer it", () => {
    const { calls, answers, reply, pass, nowMs } = rig((live) => calls.answer(numberOf(live), ok));
    calls.add(callUntil(nowMs()), reply);
    pass(1);
    assert.deepEqual(answers, ["ok"]);
  });

  test("deadlines that pass in a long pause are met in their order, those to come are not", () => {
    const late: number[] = [];
    const { calls, reply, pass, nowMs } = rig((live, isLast) => void (isLast || late.push(numberOf(live))));
    const added = [300, 100, 200, 900_000].map((ms) => callUntil(nowMs() + ms));
    for (const call of added) calls.add(call, reply);
    const given = added.map(({ head }) => head.number);
    pass(600_000);
    assert.deepEqual(late, [given[1], given[2], given[0]]);
    pass(600_000);
    assert.equal(late.length, 4);
  });

  test("a call whose deadline has passed already is late at once", () => {
    const { calls, answers, reply, pass, nowMs } = rig();
    calls.add(callUntil(nowMs() - 5_000), reply);
    pass(1);
    pass(lateGraceMs);
    assert.deepEqual(answers, ["turn_timeout"]);
  });

  test("more calls than nodeCallsMax are refused at once", () => {
    const { calls, answers, reply, nowMs } = rig();
    const call = callUntil(nowMs() + 1_000);
    const numbered = (number: number): Call => ({ ...call, head: { ...call.head, number } });
    for (let i = 0; i < nodeCallsMax; i += 1) calls.add(numbered(i), reply);
    assert.equal(calls.add(numbered(nodeCallsMax), reply), undefined);
    assert.deepEqual(answers, ["queue_full"]);
  });

  test("answered calls leave nothing in the timer, however far their deadlines are", () => {
    const { calls, reply, nowMs, armed } = rig();
    for (let i = 0; i < 100; i += 1) calls.add(callUntil(nowMs() + 3_600_000), reply);
    assert.equal(armed(), 100);
    for (const live of calls.all()) calls.answer(numberOf(live), ok);
    assert.equal(armed(), 0);
  });

  test("what is left at the end is answered", () => {
    const { calls, answers, reply, nowMs } = rig();
    calls.add(callUntil(nowMs() + 1_000), reply);
    calls.close();
    assert.deepEqual(answers, ["closed"]);
  });
});
