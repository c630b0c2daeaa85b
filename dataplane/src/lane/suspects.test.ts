import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import { all, callOf, createRig, me, one, other, sixteen, stored, typesOf } from "../../test/lane-rig.ts";
import { fail } from "../call/index.ts";
import { nodeEndsMax, nodePauseMs, threadPauseMs } from "./constants.ts";
import { decodeRecord } from "./index.ts";
import type { SuspectMark } from "./record-suspects.ts";
import type { LaneEffect } from "./types.ts";

const source = sixteen(7);
/** Letter `n`, as call `number`. */
const letter = (number: number, n: number, isSuspect = true) =>
  callOf(number, { id: { type: "sent", source, n, rawHash: source }, isSuspect });

function recordIn(effects: readonly LaneEffect[]) {
  const record = decodeRecord(one(effects, "append").bytes, crc32);
  assert.ok(record.type === "turns");
  return record;
}

const failures = (effects: readonly LaneEffect[]) => all(effects, "fail").map(({ failure }) => failure);

/** Letter 5 has begun as call 2 in the second of these records. */
function begun() {
  const rig = createRig().held();
  const birth = rig.turned(1);
  rig.accept(birth);
  const begins = rig.invoke(letter(2, 5));
  rig.accept(begins);
  const rows = [birth, begins].map((effects, i) => ({
    seq: i + 1,
    atMs: 1_000,
    bytes: one(effects, "append").bytes,
  }));
  return { rig, rows };
}

/** The same on a node that has ended since, as `mark` says: the letter comes again, as call 9. */
function wokenAfter(mark: Partial<SuspectMark>, nowMs: number) {
  const [birth, begins] = begun().rows;
  assert.ok(birth !== undefined && begins !== undefined);
  const record = decodeRecord(begins.bytes, crc32);
  assert.ok(record.type === "turns");
  const rig = createRig();
  rig.world.storeMs = nowMs;
  rig.world.standings.set(other, { type: "ended", successor: undefined });
  const whole = { source, n: 5, ends: 0, incarnation: other, atMs: 1_000, ...mark };
  const rid = { ...record.rid, incarnation: other };
  const last = stored(2, { ...record, rid, suspects: [{ type: "begun", mark: whole }] });
  const range = rig.last(rig.invoke(letter(9, 5, false)), last);
  return { rig, woken: rig.range(range, birth, last) };
}

test("a letter that nobody suspects runs at once, and no record says so", () => {
  const rig = createRig().owner();
  assert.deepEqual(typesOf(rig.invoke(letter(2, 5, false))), ["run"]);
});

test("one that may have ended a node runs when a record says that it begins, and another one that it has", () => {
  const rig = createRig().owner();
  const asked = rig.invoke(letter(2, 5));
  assert.deepEqual(typesOf(asked).includes("run"), false);
  const mark = { source, n: 5, ends: 0, incarnation: me, atMs: 1_000 };
  assert.deepEqual(recordIn(asked).suspects, [{ type: "begun", mark }]);
  assert.deepEqual(one(rig.accept(asked), "run").call, 2);
  const turned = rig.turned(2);
  assert.equal(recordIn(turned).suspects, undefined);
  rig.accept(turned);
  assert.deepEqual([rig.activation.suspects.marks.size, rig.activation.suspects.known.size], [0, 0]);
});

test("its node lives when its handler has thrown: a record says so, and it runs again without one", () => {
  const rig = createRig().owner();
  rig.accept(rig.invoke(letter(2, 5)));
  const failed = rig.failed(2);
  assert.deepEqual(recordIn(failed).suspects, [{ type: "ended", source }]);
  rig.accept(failed);
  assert.equal(rig.activation.suspects.marks.size, 0);
  assert.deepEqual(typesOf(rig.invoke(letter(3, 5))), ["run"]);
});

test("one whose caller leaves before it begins is not taken for begun", () => {
  const rig = createRig().owner();
  const asked = rig.invoke(letter(2, 5));
  rig.feed({ type: "abandon", call: 2, why: "deadline" });
  assert.deepEqual(recordIn(rig.accept(asked)).suspects, [{ type: "ended", source }]);
});

test("a thread that ends is not a node that ends", () => {
  const { rig, rows } = begun();
  const { number: activation } = rig.activation;
  rig.feed({ type: "worker_lost", activation, begun: new Set([2]) });
  const range = rig.last(rig.invoke(letter(3, 5)), rows.at(-1));
  const [change] = recordIn(rig.range(range, ...rows)).suspects ?? [];
  assert.deepEqual(change?.type === "begun" && [change.mark.ends, change.mark.incarnation], [0, me]);
});

for (const ends of [0, 1])
  test(`after ${ends + 1} nodes it waits, and then runs while no other suspect does`, () => {
    const pauseMs = nodePauseMs(ends + 1);
    assert.equal(pauseMs, threadPauseMs * 2 ** ends);
    const [early] = failures(wokenAfter({ ends }, 1_000 + pauseMs - 1).woken);
    assert.deepEqual([early?.reason, early?.by], ["busy", undefined], "it is asked to come again");
    const { rig, woken } = wokenAfter({ ends }, 1_000 + pauseMs);
    assert.equal(one(woken, "alone").call, 9);
    const begins = rig.feed({ type: "alone", call: 9 });
    const [change] = recordIn(begins).suspects ?? [];
    assert.deepEqual(change?.type === "begun" && [change.mark.ends, change.mark.incarnation], [ends + 1, me]);
    assert.equal(one(rig.accept(begins), "run").call, 9);
  });

test("after nodeEndsMax nodes it is not begun again, whenever it comes", () => {
  const { rig, woken } = wokenAfter({ ends: nodeEndsMax - 1 }, 1e12);
  const [failure] = failures(woken);
  assert.deepEqual([failure?.by, failure?.reason], ["node", "internal"]);
  assert.match(failure?.message ?? "", /nodes have ended under the handler 3 times, with nodeEndsMax 3/);
  assert.deepEqual(failures(rig.invoke(letter(10, 5))), [failure]);
  assert.deepEqual(typesOf(rig.invoke(letter(11, 6, false))), ["run"], "the next one is none of it");
});

test("what it is refused for so is the last that its sender hears: it has it sealed", () => {
  const rig = createRig().owner();
  const send = { agent: "sink", key: "k", method: "take", body: sixteen(1) };
  rig.invoke(callOf(2));
  const rung = rig.feed({ type: "rung", token: one(rig.turned(2, 1, [send]), "ring").token, seq: 50 });
  const { activation, letter: sent, isSuspect } = one(rig.accept(rung), "deliver");
  assert.equal(isSuspect, false);
  const { failure } = fail("internal", "nodes have ended", { by: "node" });
  const next = rig.feed({ type: "delivered", activation, n: sent.n, failure, isNobodyThere: false });
  assert.equal(one(next, "deliver").isGivenUp, true);
});
