import assert from "node:assert/strict";
import { test } from "node:test";
import { timerMsMax } from "./due.ts";
import { agent, VodaError } from "./index.ts";
import { cancelFunction, scheduleFunction } from "./schedule.ts";
import { type SendRequest, sendFunction } from "./send.ts";

const counter = agent("counter").handlers({ add: (_ctx, by: number) => by, reset: () => null });
const untyped = (value: unknown): never => value as never;

const nowMs = Date.UTC(2026, 0, 1);

function scheduling() {
  const taken: SendRequest[] = [];
  const take = (one: SendRequest): void => void taken.push(one);
  const world = { uuid: () => `id ${taken.length}`, nowMs: () => nowMs };
  return {
    taken,
    schedule: scheduleFunction(take, world),
    cancel: cancelFunction(take),
    send: sendFunction(take, world),
  };
}

const add = { agent: "counter", key: "k", method: "add", body: "3" };

test("a timer says whom, what and when, and gives back its id", () => {
  const { taken, schedule } = scheduling();
  assert.equal(schedule(counter, "k", { in: "2s" }).add(3), "id 0");
  assert.equal(schedule(counter, "k", { every: "5m", id: "mine" }).add(3), "mine");
  schedule(counter, "k", { cron: "0 9 * * 1-5", timeZone: "Europe/Berlin", id: "work" }).add(3);
  schedule(counter, "k", { cron: "@daily", id: "utc" }).add(3);
  assert.equal(
    schedule(counter, "k", { at: new Date(Date.UTC(2027, 0, 1)), id: "new year" }).add(3),
    "new year",
  );
  assert.deepEqual(taken, [
    { ...add, timing: { id: "id 0", due: { type: "in", ms: 2_000 } } },
    { ...add, timing: { id: "mine", due: { type: "every", ms: 300_000 } } },
    { ...add, timing: { id: "work", due: { type: "cron", pattern: "0 9 * * 1-5", zone: "Europe/Berlin" } } },
    { ...add, timing: { id: "utc", due: { type: "cron", pattern: "@daily", zone: "UTC" } } },
    { ...add, timing: { id: "new year", due: { type: "at", ms: Date.UTC(2027, 0, 1) } } },
  ]);
});

test("a message that waits has an id of its own, and no order", () => {
  const { taken, send } = scheduling();
  assert.equal(send(counter, "k", { delay: 10 }).add(3), undefined);
  send(counter, "k", { at: new Date(1_000) }).add(3);
  assert.deepEqual(taken, [
    { ...add, timing: { id: "id 0", due: { type: "in", ms: 10 } } },
    { ...add, timing: { id: "id 1", due: { type: "at", ms: 1_000 } } },
  ]);
});

test("what is past is due at once, also before 1970", () => {
  const { taken, schedule } = scheduling();
  schedule(counter, "k", { at: new Date(-5) }).reset();
  assert.deepEqual(taken[0]?.timing?.due, { type: "at", ms: 0 });
});

test("a timer is taken back by its id", () => {
  const { taken, cancel } = scheduling();
  assert.equal(cancel("mine"), undefined);
  assert.deepEqual(taken[0]?.timing, { id: "mine", due: { type: "never" } });
});

for (const [what, when, words] of [
  ["no time", {}, /takes one of in, at, every and cron; it got none of them/],
  ["nothing", undefined, /it got none of them/],
  ["two times", { in: 1, every: "1m" }, /it got in and every/],
  ["a zone alone", { timeZone: "UTC" }, /it got none of them/],
  ["no pattern", { cron: 5 }, /cron is a string of 1 to 128 characters/],
  ["an empty zone", { cron: "@daily", timeZone: "" }, /timeZone is a string of 1 to 128 characters/],
  ["a negative time", { in: -1 }, /in of -1 is out of range: 0ms to 36600d/],
  ["no duration", { in: "soon" }, /in of "soon" is not a duration/],
  ["too often", { every: 999 }, /every of 999 is out of range: 1s to/],
  ["no date", { at: "tomorrow" }, /at is not a valid Date/],
  ["a date that is none", { at: new Date(Number.NaN) }, /at is not a valid Date/],
  [
    "the last date of all",
    { at: new Date(8.64e15) },
    /at of \+275760-09-13T00:00:00.000Z is later than timerMsMax/,
  ],
  ["beyond what is kept", { in: timerMsMax + 1 }, /in of \d+ is out of range/],
  ["an empty id", { in: 1, id: "" }, /id of a timer is a string of 1 to 128 characters/],
  ["a long id", { in: 1, id: "x".repeat(129) }, /1 to 128 characters/],
  ["half a character as id", { in: 1, id: "\ud800" }, /1 to 128 characters/],
] as const)
  test(`${what}: refused at once, and nothing waits`, () => {
    const { taken, schedule } = scheduling();
    assert.throws(
      () => schedule(counter, "k", untyped(when)).reset(),
      (error) =>
        VodaError.is(error, "invalid_argument") &&
        error.reason === "bad_request" &&
        words.test(error.message),
    );
    assert.deepEqual(taken, []);
  });

test("a message takes one of two times", () => {
  const { taken, send, cancel } = scheduling();
  for (const options of [{}, { delay: 1, at: new Date() }, { delay: -1 }])
    assert.throws(() => send(counter, "k", untyped(options)).reset(), VodaError);
  assert.throws(() => cancel(untyped(1)), /1 to 128 characters/);
  assert.deepEqual(taken, []);
});
