import assert from "node:assert/strict";
import { test } from "node:test";
import { timerMsMax } from "@voda/proto/wire";
import { agent, VodaError } from "./index.ts";
import { cancelFunction, scheduleFunction } from "./schedule.ts";
import { type SendRequest, sendFunction } from "./send.ts";

const unheard = () => () => undefined;

const counter = agent("counter").handlers({ add: (_ctx, by: number) => by, reset: () => null });
const untyped = (value: unknown): never => value as never;
/** One of a class of its own. */
const dateOf = (time: unknown): Date => Object.assign(new Date(0), { getTime: () => time });

const nowMs = Date.UTC(2026, 0, 1);

function scheduling() {
  const taken: SendRequest[] = [];
  const take = (one: SendRequest): void => void taken.push(one);
  const world = { uuid: () => `id ${taken.length}`, nowMs: () => nowMs };
  return {
    taken,
    schedule: scheduleFunction(take, world, unheard),
    cancel: cancelFunction(take),
    send: sendFunction(take, world, unheard),
  };
}

const way = 'ctx.schedule(counter, "k").add';
const add = { way, agent: "counter", key: "k", method: "add", body: "3" };

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
  const sent = { ...add, way: 'ctx.send(counter, "k").add' };
  assert.deepEqual(taken, [
    { ...sent, timing: { id: "id 0", due: { type: "in", ms: 10 } } },
    { ...sent, timing: { id: "id 1", due: { type: "at", ms: 1_000 } } },
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
  const { way: said, timing } = taken[0] ?? {};
  assert.deepEqual([said, timing], ['ctx.cancel("mine")', { id: "mine", due: { type: "never" } }]);
});

const oddDate = "at is a Date whose time is no whole number of milliseconds, or beyond all dates";
const options = "known are in, at, every, cron, timeZone, id";
for (const [what, when, words] of [
  ["no time", {}, "it takes one of in, at, every, cron; it got none of them"],
  ["nothing", undefined, "it takes one of in, at, every, cron; it got none of them"],
  ["no options", "1s", "schedule options must be an object"],
  ["two times", { in: 1, every: "1m" }, "it takes one of in, at, every, cron; it got in and every"],
  ["a misspelt time", { inn: "1s" }, `schedule option "inn" is unknown (did you mean in?); ${options}`],
  [
    "a misspelt zone",
    { cron: "0 7 * * *", timezone: "America/New_York" },
    `schedule option "timezone" is unknown (did you mean timeZone?); ${options}`,
  ],
  ["a zone alone", { timeZone: "UTC" }, "it takes one of in, at, every, cron; it got none of them"],
  ["a zone of a length", { in: "1s", timeZone: "UTC" }, "timeZone goes with cron, not with in"],
  ["no pattern", { cron: 5 }, "cron is a text of 1 to 128 characters; it is of type number"],
  ["an empty zone", { cron: "@daily", timeZone: "" }, "timeZone is a text of 1 to 128 characters; it has 0"],
  ["an array", [], "schedule options must be an object"],
  [
    "a length that JSON does not have",
    { in: 5n },
    'in of 5n is not a duration: write milliseconds, or "250ms", "2s", "5m", "1h", "7d"',
  ],
  [
    "an object as length",
    { in: new Map() },
    'in of type object is not a duration: write milliseconds, or "250ms", "2s", "5m", "1h", "7d"',
  ],
  [
    "no number",
    { in: Number.NaN },
    'in of NaN is not a duration: write milliseconds, or "250ms", "2s", "5m", "1h", "7d"',
  ],
  ["a negative time", { in: -1 }, "in of -1 is out of range: 0ms to 36600d"],
  [
    "no duration",
    { in: "1 sec" },
    'in of "1 sec" is not a duration: write milliseconds, or "250ms", "2s", "5m", "1h", "7d"',
  ],
  ["too often", { every: 999 }, "every of 999 is out of range: 1s to 36600d"],
  ["no date", { at: "tomorrow" }, "at of type string is not a Date"],
  ["a date that is none", { at: new Date("nope") }, "at is an Invalid Date: what it was made of is no time"],
  ["a date of half a millisecond", { at: dateOf(1.5) }, oddDate],
  ["a date that gives text", { at: dateOf("5") }, oddDate],
  ["a date beyond all dates", { at: dateOf(8.64e15 + 1) }, oddDate],
  [
    "the last date of all",
    { at: new Date(8.64e15) },
    /: at of \+275760-09-13T00:00:00.000Z is later than timerMsMax/,
  ],
  ["beyond what is kept", { in: timerMsMax + 1 }, /: in of \d+ is out of range: 0ms to 36600d$/],
  ["an empty id", { in: 1, id: "" }, "the id of a timer is a text of 1 to 128 characters; it has 0"],
  [
    "a long id",
    { in: 1, id: "x".repeat(129) },
    "the id of a timer is a text of 1 to 128 characters; it has 129",
  ],
  [
    "half a character as id",
    { in: 1, id: "\ud800" },
    "the id of a timer has half a character: a surrogate without its other half",
  ],
  [
    "an id of voda's own",
    { in: 1, id: "_workflows" },
    'the id of a timer begins with no "_": "_workflows" is for voda\'s own',
  ],
] as const)
  test(`${what}: refused at once, and nothing waits`, () => {
    const { taken, schedule } = scheduling();
    assert.throws(
      () => schedule(counter, "k", untyped(when)).reset(),
      (error: Error) => {
        assert.equal(VodaError.from(error).reason, "bad_request");
        if (typeof words === "string") assert.equal(error.message, `ctx.schedule(counter, "k"): ${words}`);
        else assert.match(error.message, words);
        return true;
      },
    );
    assert.deepEqual(taken, []);
  });

test("what is no target, no input and no id is told with how it was written", () => {
  const { taken, schedule, cancel } = scheduling();
  const inOneSecond = schedule(counter, "k", { in: "1s" });
  for (const [act, words] of [
    [
      () => schedule(counter, untyped(undefined), { in: "1s" }),
      "ctx.schedule(counter, undefined): the key is of type undefined: 1 to 256 bytes of text",
    ],
    [
      () => inOneSecond.add(untyped(new Date())),
      'ctx.schedule(counter, "k").add: the input is Date, which JSON does not have; send its toISOString()',
    ],
    [
      () => cancel(untyped(5)),
      "ctx.cancel: the id of a timer is a text of 1 to 128 characters; it is of type number",
    ],
    [
      () => cancel(untyped(undefined)),
      "ctx.cancel: the id of a timer is a text of 1 to 128 characters; it is of type undefined",
    ],
  ] as const)
    assert.throws(act, { name: "VodaError", message: words });
  assert.deepEqual(taken, []);
});

test("a message takes one of two times", () => {
  const { taken, send } = scheduling();
  for (const wrong of [{}, { delay: 1, at: new Date() }, { delay: -1 }])
    assert.throws(() => send(counter, "k", untyped(wrong)).reset(), VodaError);
  assert.deepEqual(taken, []);
});
