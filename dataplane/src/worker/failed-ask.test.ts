import assert from "node:assert/strict";
import { test } from "node:test";
import { sourceScheme } from "@voda/proto/wire";
import { systemClock } from "@voda/stdx";
import { VodaError } from "voda";
import { fail } from "../call/index.ts";
import { type Asking, FailedAsk } from "./failed-ask.ts";
import { endingOf } from "./failure.ts";
import { describeThrown } from "./thrown.ts";

const asking: Asking = {
  type: "asked",
  path: "bot/k1 -> slow/x",
  method: "nap",
  timeoutMs: undefined,
  deadlineMs: 0,
  nowMs: () => systemClock.monotonicMs(),
  site: { stack: `Error\n    at Asks.ask (node:x:1:1)\n    at go (${sourceScheme}bot.ts:7:3)` },
};
const interrupted = { code: "canceled", reason: "interrupted", message: "the turn has ended" } as const;

test("a failed ask says which it was, and stands in the code where it was asked", () => {
  const error = new FailedAsk(interrupted, asking);
  const { message, at } = describeThrown(error);
  assert.equal(message, "VodaError: bot/k1 -> slow/x nap: the turn has ended (canceled)");
  assert.equal(at, "bot.ts:7:3");
  assert.ok(VodaError.is(error, "canceled"));
});

test("what an ask's own timeout ended says so, and what ended before it does not", () => {
  const failure = { code: "deadline_exceeded", reason: "turn_timeout", message: "too late" } as const;
  const words = (deadlineMs: number): string =>
    new FailedAsk(failure, { ...asking, timeoutMs: 500, deadlineMs }).message;
  assert.equal(words(0), "bot/k1 -> slow/x nap: no answer within the ask's timeout of 500 ms: too late");
  assert.equal(words(Number.POSITIVE_INFINITY), "bot/k1 -> slow/x nap: too late");
});

test("what the asked handler threw keeps its words; the log has the ask", () => {
  const failure = { code: "aborted", reason: "user", message: "need 5 coins" } as const;
  const { answer, level, facts } = endingOf(new FailedAsk(failure, asking), undefined, "");
  assert.equal(answer.failure.message, "need 5 coins");
  assert.equal(level, "info");
  assert.deepEqual(facts, {
    code: "aborted",
    reason: "user",
    at: "bot.ts:7:3",
    asked: "bot/k1 -> slow/x nap",
  });
});

test("what a handler throws on purpose is its own, and stays so when an asker does not catch it", () => {
  const thrown = new VodaError("failed_precondition", "the shop is shut", { reason: "closed" });
  const { failure } = endingOf(thrown, undefined, "").answer;
  assert.equal(failure.by, "handler");
  const passedOn = endingOf(new FailedAsk(failure, asking), undefined, "").answer;
  assert.deepEqual([passedOn.failure.by, passedOn.failure.message], ["handler", "the shop is shut"]);
  const busy = fail("queue_full", "too many wait").failure;
  assert.equal(endingOf(new FailedAsk(busy, asking), undefined, "").answer.failure.by, undefined);
});

test("only errors of asks have asked something", () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  for (const other of [new VodaError("aborted", "m"), proxy, undefined, null, "x"])
    assert.deepEqual(FailedAsk.wayOf(other), {});
});
