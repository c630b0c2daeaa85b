import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import { all, callOf, createRig, one, type Rig, sixteen, typesOf } from "../../test/lane-rig.ts";
import type { KeptDue, Send } from "../call/index.ts";
import { cronFiredMax, timersFiredMax } from "./constants.ts";
import { decodeRecord } from "./index.ts";
import type { LaneEffect } from "./types.ts";

const target = { agent: "sink", key: "k", method: "take", body: sixteen(1) };
const timer = (id: string, due: KeptDue): Send => ({ ...target, timing: { id, due } });
const once = (id: string, ms: number): Send => timer(id, { type: "in", ms });
const cancel = (id: string): Send => timer(id, { type: "never" });

const rung = (rig: Rig, effects: readonly LaneEffect[], seq = 50): LaneEffect[] =>
  rig.feed({ type: "rung", token: one(effects, "ring").token, seq });

/** Call `call` sets timers, and its record is accepted. */
function setting(rig: Rig, call: number, ...sends: readonly Send[]): LaneEffect[] {
  rig.invoke(callOf(call));
  const turned = rig.turned(call, 1, sends);
  return rig.accept(all(turned, "ring").length === 0 ? turned : rung(rig, turned));
}

/** Everything that is on its way is told: the letter is over. */
const over = (rig: Rig, effects: readonly LaneEffect[]): LaneEffect[] =>
  all(effects, "deliver").flatMap(({ activation, letter: { n } }) =>
    rig.feed({ type: "delivered", activation, n, failure: undefined, isNobodyThere: false }),
  );

function recordIn(effects: readonly LaneEffect[]) {
  const record = decodeRecord(one(effects, "append").bytes, crc32);
  assert.ok(record.type === "turns");
  return record;
}

test("a timer waits in the table, and is a letter when its time has come", () => {
  const rig = createRig().owner();
  setting(rig, 2, once("a", 500));
  assert.equal(rig.activation.timers.table.get("a")?.dueMs, 1_500);
  assert.deepEqual(rig.wait(499, "outbox"), []);
  const fired = rig.wait(1, "outbox");
  const { outbox, timers } = recordIn(fired);
  assert.deepEqual(timers, [{ type: "gone", id: "a" }]);
  assert.deepEqual(
    outbox?.letters.map(({ method, n }) => [method, n]),
    [["take", 1]],
  );
  const accepted = rig.accept(fired);
  assert.equal(one(accepted, "deliver").letter.n, 1);
  assert.equal(rig.activation.timers.table.size, 0);
});

test("the bell rings before the record with a timer is sent", () => {
  const rig = createRig().owner();
  rig.invoke(callOf(2));
  const turned = rig.turned(2, 1, [once("a", 60_000)]);
  assert.deepEqual(typesOf(turned), ["ring"]);
  assert.deepEqual(typesOf(rung(rig, turned)), ["append"]);
});

test("a session with a timer falls asleep when its bell says at which time it is due, and that bell stays", () => {
  const rig = createRig().owner();
  setting(rig, 2, once("late", 90_000), once("soon", 60_000));
  const asked = rig.feed({ type: "sleep" });
  const { dueMs } = one(asked, "ring");
  assert.equal(dueMs, 61_000);
  assert.deepEqual(typesOf(rig.cut()), [], "what is rung says: at once");
  const released = rung(rig, asked, 60);
  const record = decodeRecord(one(released, "append").bytes, crc32);
  assert.ok(record.type === "fold" && record.released);
  assert.deepEqual(
    record.timers.map((change) => change.type === "set" && change.timer.id),
    ["late", "soon"],
  );
  assert.equal(one(rig.accept(released), "unring").seq, 59);
});

test("who has found a bell takes it away when a session with timers has rung a newer one", () => {
  const rig = createRig().owner();
  setting(rig, 2, once("a", 60_000));
  const ordered = rig.feed({ type: "control", call: callOf(3, { type: "deliver", id: undefined }) });
  // another node may have rung after our bell
  assert.deepEqual(typesOf(ordered), ["ring"]);
  const done = rung(rig, ordered, 70);
  assert.equal(one(done, "done").call, 3);
  const again = rig.feed({ type: "control", call: callOf(4, { type: "deliver", id: undefined }) });
  assert.deepEqual(typesOf(again), ["ring"]);
});

test("a timer with the id of another takes its place", () => {
  const rig = createRig().owner();
  setting(rig, 2, once("a", 500));
  setting(rig, 3, once("a", 900));
  assert.deepEqual(
    rig.wait(500, "outbox").filter(({ type }) => type === "append"),
    [],
  );
  assert.equal(recordIn(rig.wait(400, "outbox")).outbox?.letters.length, 1);
});

test("a timer that is taken back does not fire, though both are due in one record", () => {
  const rig = createRig().owner();
  setting(rig, 2, once("a", 500), once("b", 500));
  rig.invoke(callOf(3));
  const before = rig.turned(3);
  rig.invoke(callOf(4));
  rig.world.storeMs += 600;
  rig.turned(4, 1, [cancel("a")]);
  const { timers, outbox } = recordIn(rig.accept(before));
  assert.deepEqual(timers, [
    { type: "gone", id: "a" },
    { type: "gone", id: "b" },
  ]);
  assert.equal(outbox?.letters.length, 1);
});

test("of many missed times one is left, and the next is where it would have been", () => {
  const rig = createRig().owner();
  setting(rig, 2, timer("a", { type: "every", ms: 1_000 }));
  const fired = rig.wait(3_700, "outbox");
  assert.equal(recordIn(fired).outbox?.letters.length, 1);
  rig.accept(fired);
  assert.equal(rig.activation.timers.table.get("a")?.dueMs, 1_000 + 4_000);
});

test("a timer by the calendar comes at each of its times, and is gone after the last", () => {
  const rig = createRig().owner();
  const zone = "Europe/Berlin";
  rig.world.storeMs = Date.UTC(2026, 11, 31, 7, 59, 0);
  const firstMs = Date.UTC(2026, 11, 31, 8);
  const daily = timer("daily", { type: "cron", firstMs, pattern: "0 9 * * *", zone });
  // as an earlier version let them be
  const last = timer("last", { type: "cron", firstMs, pattern: "0 0 9 31 12 * 2026", zone });
  setting(rig, 2, daily, last);
  const fired = rig.wait(60_000, "outbox");
  assert.equal(recordIn(fired).outbox?.letters.length, 2);
  rig.accept(fired);
  const left = [...rig.activation.timers.table.values()];
  assert.deepEqual(
    left.map(({ id, dueMs }) => [id, dueMs]),
    [["daily", Date.UTC(2027, 0, 1, 8)]],
  );
});

test("a timer that comes again waits until its last letter is over", () => {
  const rig = createRig().owner();
  setting(rig, 2, timer("a", { type: "every", ms: 1_000 }));
  const away = rig.accept(rig.wait(1_000, "outbox"));
  assert.deepEqual(all(rig.wait(5_000, "outbox"), "append"), []);
  const next = over(rig, away);
  assert.equal(recordIn(next).outbox?.letters.length, 1);
});

test("many that are due at once go by records of a bounded size, those that were due first first", () => {
  const rig = createRig().owner();
  const count = timersFiredMax + 10;
  setting(rig, 2, ...Array.from({ length: count }, (_, i) => once(`${i}`, 1_000 - i)));
  const first = rig.wait(1_000, "outbox");
  assert.deepEqual(recordIn(first).timers[0], { type: "gone", id: `${count - 1}` });
  assert.equal(recordIn(first).timers.length, timersFiredMax);
  assert.equal(recordIn(rig.accept(first)).timers.length, 10);
});

test("the thread of all sessions looks at the calendar for a bounded number of timers at a time", () => {
  const rig = createRig().owner();
  const pattern = "0 9 * * *";
  const many = Array.from({ length: cronFiredMax + 1 }, (_, i) =>
    timer(`cron ${i}`, { type: "cron", firstMs: 1_500, pattern, zone: "UTC" }),
  );
  // whoever sets one has found its first time: what would throw is not looked at
  const unread = timer("unread", { type: "cron", firstMs: 1e12, pattern: "no pattern", zone: "UTC" });
  setting(rig, 2, ...many, once("a", 600), unread);
  assert.equal(rig.activation.timers.table.get("unread")?.dueMs, 1e12);
  const first = rig.wait(600, "outbox");
  assert.equal(recordIn(first).outbox?.letters.length, cronFiredMax + 1);
  const next = rig.accept(first);
  assert.deepEqual(
    recordIn(next).timers.map((change) => change.type === "set" && change.timer.id),
    [`cron ${cronFiredMax}`],
  );
});

test("the books of the worker say what is left of messages, timers and bytes", () => {
  const rig = createRig().owner();
  const books = { messages: 0, timers: 0, bytes: 0 };
  const note = (effects: readonly LaneEffect[]): void => {
    for (const { messages, timers, bytes } of all(effects, "outbox")) {
      books.messages += messages;
      books.timers += timers;
      books.bytes += bytes;
    }
  };
  note(setting(rig, 2, once("a", 500), once("a", 600), cancel("none")));
  // the worker itself has counted three timers
  assert.equal(3 + books.timers, 1);
  const away = rig.accept(rig.wait(600, "outbox"));
  note(away);
  assert.deepEqual([3 + books.timers, books.messages], [0, 1]);
  note(over(rig, away));
  assert.deepEqual([3 + books.timers, books.messages, rig.activation.outbox.bytes], [0, 0, 0]);
});

test("a session that ends forgets its timers", () => {
  const rig = createRig().owner();
  setting(rig, 2, once("a", 500));
  const ended = rig.feed({ type: "control", call: callOf(3, { type: "end" }) });
  assert.equal(one(ended, "append").gone, true);
  assert.equal(one(rig.accept(ended), "unring").seq, 50);
});

test("a timer that is due while its session ends does not ring any more", () => {
  const rig = createRig().owner();
  setting(rig, 2, once("a", 500));
  rig.invoke(callOf(3));
  assert.deepEqual(rig.feed({ type: "control", call: callOf(4, { type: "end" }) }), []);
  assert.deepEqual(rig.wait(600, "outbox"), []);
  const ended = rig.accept(rig.turned(3));
  assert.equal(one(ended, "append").gone, true);
});

test("a pattern that cannot be read any more comes once, at the time that was found when it was set", () => {
  const rig = createRig().owner();
  const cron = { type: "cron", firstMs: rig.world.storeMs + 500, pattern: "nonsense", zone: "UTC" } as const;
  setting(rig, 2, timer("a", cron));
  const fired = rig.wait(500, "outbox");
  assert.deepEqual(recordIn(fired).timers, [{ type: "gone", id: "a" }]);
  assert.equal(recordIn(fired).outbox?.letters.length, 1);
});
