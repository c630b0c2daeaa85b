import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import {
  all,
  callOf,
  createRig,
  me,
  one,
  other,
  type Rig,
  sixteen,
  stored,
  typesOf,
} from "../../test/lane-rig.ts";
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

/** The record of call 1, and then one in which letter 5 began on a node that has ended since. */
function wokenAfter(mark: Partial<SuspectMark>, nowMs: number): Rig {
  const before = createRig().held();
  const birth = one(before.turned(1), "append");
  before.step({ type: "appended", token: birth.token, seq: 1 });
  before.invoke(letter(2, 5));
  const { type } = before.activation.suspects.pending[0] ?? {};
  assert.equal(type, undefined, "it is on its way");
  const rig = createRig();
  rig.world.storeMs = nowMs;
  rig.world.standings.set(other, { type: "ended", successor: undefined });
  const begun = { source, n: 5, ends: 0, incarnation: other, atMs: 1_000, ...mark };
  const { record } = before.activation.append.flight ?? assert.fail("nothing is on its way");
  assert.ok(record.type === "turns");
  const rows = [
    { seq: 1, atMs: 1_000, bytes: birth.bytes },
    stored(2, {
      ...record,
      rid: { ...record.rid, incarnation: other },
      suspects: [{ type: "begun", mark: begun }],
    }),
  ];
  const call = letter(9, 5, false);
  const asked = rig.invoke(call);
  const range = rig.last(asked, rows[1]);
  rig.range(range, ...rows);
  return rig;
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
  assert.deepEqual([rig.activation.suspects.marks.size, rig.activation.suspects.looked.size], [0, 0]);
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
  rig.step({ type: "abandon", call: 2, why: "deadline" });
  assert.deepEqual(recordIn(rig.accept(asked)).suspects, [{ type: "ended", source }]);
});

test("a memory that is dropped on a node that lives counts nothing", () => {
  const rig = createRig().owner();
  rig.accept(rig.invoke(letter(2, 5)));
  const { suspects, tip } = rig.activation;
  const mark = suspects.marks.get(source.toHex()) ?? suspects.marks.values().next().value;
  assert.deepEqual([mark?.ends, mark?.incarnation], [0, tip.incarnation]);
});

for (const ends of [0, 1])
  test(`after ${ends + 1} nodes it waits, and then runs while no other suspect does`, () => {
    const pauseMs = nodePauseMs(ends + 1);
    assert.equal(pauseMs, threadPauseMs * 2 ** ends);
    const early = wokenAfter({ ends }, 1_000 + pauseMs - 1);
    assert.equal(early.lane.calls.size, 0, "it is asked to come again");
    const rig = wokenAfter({ ends }, 1_000 + pauseMs);
    assert.equal(rig.lane.queue.length, 1, "it waits for its turn");
    const begins = rig.step({ type: "alone", call: 9 });
    const [change] = recordIn(begins).suspects ?? [];
    assert.deepEqual(change?.type === "begun" && [change.mark.ends, change.mark.incarnation], [ends + 1, me]);
    assert.equal(one(rig.accept(begins), "run").call, 9);
  });

test("after nodeEndsMax nodes it is not begun again, whenever it comes", () => {
  const rig = wokenAfter({ ends: nodeEndsMax - 1 }, 1e12);
  assert.equal(rig.lane.calls.size, 0);
  const [failure] = failures(rig.invoke(letter(10, 5)));
  assert.deepEqual([failure?.by, failure?.reason], ["node", "internal"]);
  assert.match(failure?.message ?? "", /nodes have ended under the handler 3 times, with nodeEndsMax 3/);
  assert.deepEqual(typesOf(rig.invoke(letter(11, 6, false))), ["run"], "the next one is none of it");
});
