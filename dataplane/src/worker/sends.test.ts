import assert from "node:assert/strict";
import { test } from "node:test";
import { runInThisContext } from "node:vm";
import { sourceScheme } from "@voda/proto/wire";
import { agent, s, VodaError } from "voda";
import { activationRig, until } from "../../test/activation-rig.ts";
import {
  fail,
  type KeptDue,
  outboxBytesMax,
  outboxMessagesMax,
  sendBytes,
  timersMax,
  turnSendsMax,
} from "../call/index.ts";
import { KnownTargets, OutboxRoom, type TurnSends } from "./sends.ts";

const way = 'ctx.send(sink, "k").take';
const message = (bytes: number) => ({
  way,
  agent: "sink",
  key: "k",
  method: "take",
  body: "x".repeat(bytes),
});
const nowMs = Date.UTC(2026, 0, 1);
const aTurn = (): TurnSends => ({ sends: [], bytes: 0, strange: undefined });

function refusalOf(act: () => void): VodaError {
  try {
    act();
  } catch (error) {
    if (VodaError.is(error)) return error;
    throw error;
  }
  return assert.fail("it was taken");
}

test("a turn that sends too many messages, or too many bytes, is refused with the bound", () => {
  const room = new OutboxRoom(() => nowMs);
  const many = aTurn();
  for (let i = 0; i < turnSendsMax; i += 1) room.add(many, message(1));
  const one = refusalOf(() => room.add(many, message(1)));
  assert.deepEqual(
    [one.reason, one.message],
    ["too_large", `${way}: a turn sends at most turnSendsMax 1024 messages`],
  );
  const large = aTurn();
  room.add(large, message(600_000));
  assert.match(
    refusalOf(() => room.add(large, message(600_000))).message,
    /^ctx\.send\(sink, "k"\)\.take: 1200\d{3} bytes of messages in one turn exceed turnBytesMax 1048576$/,
  );
  assert.equal(large.sends.length, 1);
});

test("a session with a full outbox sends nothing more until some of it is over", () => {
  const room = new OutboxRoom(() => nowMs);
  room.change({ messages: outboxMessagesMax - 2, timers: 0, bytes: 0 });
  const turn = aTurn();
  room.add(turn, message(1));
  room.add(turn, message(1));
  room.take(turn);
  const { code, reason, retryAfterMs, message: words } = refusalOf(() => room.add(aTurn(), message(1)));
  assert.deepEqual([code, reason, retryAfterMs], ["resource_exhausted", "outbox_full", 1_000]);
  assert.equal(
    words,
    `${way}: 16384 messages of the session are not delivered yet, with outboxMessagesMax 16384`,
  );
  room.change({ messages: -1, timers: 0, bytes: 0 });
  room.add(aTurn(), message(1));
});

test("the bytes of an outbox are bounded too", () => {
  const room = new OutboxRoom(() => nowMs);
  const bytes = sendBytes({ ...message(0), body: new Uint8Array(1_000) });
  room.change({ messages: 1, timers: 0, bytes: outboxBytesMax - bytes });
  const turn = aTurn();
  room.add(turn, message(1_000));
  room.take(turn);
  assert.match(refusalOf(() => room.add(aTurn(), message(0))).message, /outboxBytesMax 2097152$/);
});

test("a session with too many timers sets no more, and may take some back", () => {
  const room = new OutboxRoom(() => nowMs);
  const timer = (due: Exclude<KeptDue, { type: "cron" }>) => ({
    ...message(1),
    timing: { id: "a", due },
  });
  room.change({ messages: 0, timers: timersMax - 1, bytes: outboxBytesMax - 1_000 });
  const turn = aTurn();
  room.add(turn, timer({ type: "in", ms: 1 }));
  room.take(turn);
  const { reason, message: words } = refusalOf(() => room.add(aTurn(), timer({ type: "every", ms: 1_000 })));
  assert.equal(reason, "outbox_full");
  assert.match(words, /: the session has 4096 timers, with timersMax 4096: cancel some/);
  room.add(aTurn(), timer({ type: "never" }));
  room.add(aTurn(), message(1));
  room.change({ messages: 0, timers: -1, bytes: 0 });
  room.add(aTurn(), timer({ type: "at", ms: 1 }));
});

for (const [pattern, zone, words] of [
  ["99 * * * *", "UTC", /cron "99 \* \* \* \*" in time zone "UTC": Invalid value for minute: 99$/],
  ["soon", "UTC", /cron "soon" in time zone "UTC": a pattern has five fields, or six .* and not 1$/],
  ["0 0 0 1 6 * 2026", "UTC", /a pattern has five fields, or six with seconds first, and not 7$/],
  ["2030-01-01T00:00:00", "UTC", /a pattern has five fields/],
  [
    "0 9 * * *",
    "Mars/Olympus",
    /: there is no such time zone: write a name of the IANA list, such as Europe\/Berlin$/,
  ],
  ["0 0 30 2 *", "UTC", /cron "0 0 30 2 \*" in time zone "UTC" never comes/],
] as const)
  test(`cron ${pattern} of ${zone} is refused at once`, () => {
    const turn = aTurn();
    const timing = { id: "a", due: { type: "cron", pattern, zone } } as const;
    const refused = refusalOf(() => new OutboxRoom(() => nowMs).add(turn, { ...message(1), timing }));
    assert.deepEqual([refused.code, refused.reason, turn.sends], ["invalid_argument", "bad_request", []]);
    assert.match(refused.message, words);
  });

test("the first time of a pattern is found by the clock of the session's thread", () => {
  for (const [pattern, zone, first] of [
    ["0 9 1 * *", "Europe/Berlin", Date.UTC(2026, 0, 1, 8)],
    ["30 0 9 * * 1", "UTC", Date.UTC(2026, 0, 5, 9, 0, 30)],
    ["@yearly", "UTC", Date.UTC(2027, 0, 1)],
  ] as const) {
    const turn = aTurn();
    const timing = { id: "a", due: { type: "cron", pattern, zone } } as const;
    new OutboxRoom(() => nowMs).add(turn, { ...message(1), timing });
    const due = { type: "cron", pattern, zone, firstMs: first };
    assert.deepEqual(turn.sends[0]?.timing, { id: "a", due });
  }
});

test("a handler that was checked once is known from then on", () => {
  const targets = new KnownTargets();
  const notedOf = (...methods: readonly string[]): readonly string[] => {
    const turn = aTurn();
    for (const method of methods) targets.note(turn, { ...message(1), method }, () => ({}));
    return [...(turn.strange?.values() ?? [])].map((one) => one.method);
  };
  assert.deepEqual(notedOf("m", "m", "n"), ["m", "n"]);
  targets.know([{ agent: "sink", method: "m" }]);
  assert.deepEqual(notedOf("m", "n"), ["n"]);
  assert.deepEqual(notedOf("m"), []);
});

const asked = agent("asked").handlers({ add: (_ctx, by: number) => by });

/** Sends; `late` is what it heard when it sent after its turn, and what it waits for before. */
function sendingRig(late: { heard?: string; readonly until: Promise<void> }) {
  const fields = { count: s.counter(), name: s.register("none") };
  const sending = agent("probe", fields)
    .readonly({ get: (ctx) => ctx.state.count.value })
    .handlers({
      sends(ctx, keys: readonly string[]) {
        ctx.state.count.add(1);
        for (const key of keys) ctx.send(asked, key).add(3);
      },
      async sendsLate(ctx) {
        void late.until.then(() => {
          late.heard = refusalOf(() => ctx.send(asked, "late").add(1)).reason;
        });
        return null;
      },
    });
  return activationRig(sending);
}

const never = { until: new Promise<void>(() => undefined) };

test("what a turn sends goes with it, once its targets are known to be there", async () => {
  const { activation, checks, run, said } = sendingRig(never);
  run("sends", ["a", "b"]);
  assert.deepEqual(
    [said.length, checks.map(({ agent: name, method }) => [name, method])],
    [0, [["asked", "add"]]],
  );
  activation.askAnswered(checks[0]?.askId ?? 0, { ok: true, content: "json", body: new Uint8Array(0) });
  await until(() => said.length === 1);
  const [turned] = said;
  const sent = turned?.type === "turned" ? turned.sends : [];
  assert.deepEqual(
    sent.map(({ agent: name, key, method, body }) => [name, key, method, new TextDecoder().decode(body)]),
    [
      ["asked", "a", "add", "3"],
      ["asked", "b", "add", "3"],
    ],
  );
  run("sends", ["c"]);
  assert.deepEqual([checks.length, said.length], [1, 2], "it is known now");
});

test("a turn that sends to what is not there fails, and changes nothing", async () => {
  const { activation, checks, run, failureOf, said, value, logged, facts } = sendingRig(never);
  const call = run("sends", ["a"]);
  const { failure } = fail("agent_not_found", "there is no agent asked");
  activation.askAnswered(checks[0]?.askId ?? 0, { ok: false, failure });
  await until(() => said.length === 1);
  assert.deepEqual(
    [failureOf(call).reason, failureOf(call).message],
    ["agent_not_found", "probe/k sends to asked/a add: there is no agent asked"],
  );
  assert.match(logged.at(-1) ?? "", /^handler failed by what it sent: probe\/k sends to asked\/a add/);
  assert.partialDeepStrictEqual(facts.at(-1), { sent: "probe/k sends to asked/a add" });
  assert.equal(value(run("get")), 0);
});

test("what is sent or scheduled to what is not there is told with its line and its target", async () => {
  for (const [code, words] of [
    ['(ctx, asked) => ctx.send(asked, "a").ad(3)', "probe/k sends to asked/a ad"],
    ['(ctx, asked) => void ctx.schedule(asked, "b", { in: 1 }).ad(3)', "probe/k schedules asked/b ad"],
  ] as const) {
    const run = runInThisContext(code, { filename: `${sourceScheme}probe.ts` }) as (...of: object[]) => null;
    const rig = activationRig(agent("probe").handlers({ go: (ctx) => run(ctx, asked) }));
    const call = rig.run("go");
    const { failure } = fail("method_not_found", "agent asked has no method ad");
    rig.activation.askAnswered(1, { ok: false, failure });
    await until(() => rig.said.length === 1);
    assert.equal(rig.message(call), `${words}: agent asked has no method ad`);
    const at = `probe.ts:1:${code.indexOf(".ad(") + 2}`;
    assert.partialDeepStrictEqual(rig.facts.at(-1), { at, sent: words });
  }
});

test("what is sent after the end of the turn is refused there", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const late: { heard?: string; readonly until: Promise<void> } = { until: promise };
  const { run } = sendingRig(late);
  run("sendsLate");
  resolve();
  await until(() => late.heard !== undefined);
  assert.equal(late.heard, "interrupted");
});
