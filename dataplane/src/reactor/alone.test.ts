import assert from "node:assert/strict";
import { test } from "node:test";
import { other, recordOf, sixteen, stored } from "../../test/lane-rig.ts";
import { messagesOf, reactorRig } from "../../test/reactor-rig.ts";
import { testTimers } from "../../test/timers.ts";
import { encodeAnswer } from "../call/index.ts";
import { Alone, aloneMsMax } from "./alone.ts";

function rig() {
  const granted: number[] = [];
  const timers = testTimers();
  const alone = new Alone(timers, (act) => act());
  const ask = (call: number, activation = call): boolean =>
    alone.ask({ call, activation, grant: () => void granted.push(call) });
  return { alone, ask, granted, timers };
}

test("one has the turn at a time, in the order in which they came, until it leaves", () => {
  const { alone, ask, granted, timers } = rig();
  assert.deepEqual([ask(1), ask(2), ask(3)], [false, true, true], "those that wait are told so");
  alone.leave(2);
  alone.leave(9);
  assert.deepEqual(granted, [1]);
  alone.leave(1);
  assert.deepEqual(granted, [1, 3], "2 went away");
  alone.leave(3);
  assert.equal(timers.armed(), 0);
  ask(4);
  assert.deepEqual(granted, [1, 3, 4]);
});

test("one that runs for long holds nobody up for longer than aloneMsMax, and no two begin within it", () => {
  const { alone, ask, granted, timers } = rig();
  for (const call of [1, 2, 3]) ask(call);
  timers.pass(aloneMsMax - 1);
  assert.deepEqual(granted, [1]);
  timers.pass(1);
  alone.leave(1);
  timers.pass(aloneMsMax - 1);
  assert.deepEqual(granted, [1, 2], "the time of 2 began with its turn");
  timers.pass(1);
  assert.deepEqual(granted, [1, 2, 3]);
  timers.pass(aloneMsMax);
  assert.equal(ask(4), false, "nobody has the turn");
});

test("an activation that is over waits for nothing, and holds nobody up", () => {
  const { alone, ask, granted } = rig();
  ask(1, 7);
  ask(2, 7);
  ask(3, 8);
  alone.leaveAll(7);
  assert.deepEqual(granted, [1, 3]);
});

/** Two sessions, each with a letter under which a node has ended, and both come again. */
function suspected() {
  const marks = [8, 9].map((of) => {
    const mark = { source: sixteen(of), n: 5, ends: 0, closes: 0, incarnation: other, atMs: 1_000 };
    return { type: "begun", mark } as const;
  });
  const record = recordOf(other, 1);
  assert.ok(record.type === "turns");
  const at = reactorRig({ last: stored(1, { ...record, suspects: marks }), isOver: true });
  for (const [key, of] of [
    ["one", 8],
    ["two", 9],
  ] as const) {
    const id = { type: "sent", source: sixteen(of), n: 5, rawHash: sixteen(of) } as const;
    at.submit({ name: { namespace: "default", agent: "counter", key }, head: { id } }, 4 * aloneMsMax);
  }
  at.settle();
  const answer = encodeAnswer({ ok: true, content: "json", body: Uint8Array.of(50) });
  const failed = (index: number): void => {
    const { activation = 0 } = at.opened[index] ?? {};
    at.hear({ type: "failed", activation, call: at.ran[index]?.head.number ?? 0, after: 0, answer });
    at.settle();
  };
  return { at, failed, ran: () => at.ran.map(({ name }) => name.key) };
}

test("of two letters that may end nodes the second waits for the handler of the first, and the log says so", () => {
  const { at, failed, ran } = suspected();
  assert.deepEqual(ran(), ["one"]);
  assert.deepEqual(at.reported, [
    "counter/two takes add later: nodes have ended under it, and under another message that runs here; they begin alone, one after the other, each for at most aloneMsMax 5000 ms",
  ]);
  failed(0);
  assert.deepEqual(ran(), ["one", "two"]);
});

test("a letter whose handler takes long holds up the others for aloneMsMax, also when its caller has left", () => {
  const { at, ran } = suspected();
  at.timers.pass(aloneMsMax - 1);
  at.settle();
  assert.deepEqual(ran(), ["one"]);
  at.timers.pass(1);
  at.settle();
  assert.deepEqual(ran(), ["one", "two"]);
  assert.deepEqual(messagesOf(at.answers), []);
});

test("a letter whose thread ends holds nobody up", () => {
  const { at, ran } = suspected();
  const { activation = 0 } = at.opened[0] ?? {};
  const begun = { has: () => true, holder: undefined, last: undefined };
  at.reactor.workerLost({ activations: [activation], begun, overdue: undefined, why: "it was lost" });
  at.settle();
  assert.deepEqual(ran().slice(0, 2), ["one", "two"]);
});
