import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import {
  all,
  callOf,
  createRig,
  hash,
  me,
  one,
  other,
  type Rig,
  sixteen,
  stored,
  typesOf,
} from "../../test/lane-rig.ts";
import { fail } from "../call/index.ts";
import {
  nodeClosesMax,
  nodeEndsMax,
  nodePauseMs,
  pipelineTurnsMax,
  suspectsMax,
  threadPauseMs,
} from "./constants.ts";
import { decodeRecord } from "./index.ts";
import type { SuspectMark } from "./record-suspects.ts";
import { decodeStored, replay } from "./replay.ts";
import { tallyOf } from "./suspects.ts";
import type { LaneEffect, Standing } from "./types.ts";
import { waitsOf } from "./waits.ts";

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
function wokenAfter(mark: Partial<SuspectMark>, nowMs: number, isClosed = false) {
  const [birth, begins] = begun().rows;
  assert.ok(birth !== undefined && begins !== undefined);
  const record = decodeRecord(begins.bytes, crc32);
  assert.ok(record.type === "turns");
  const rig = createRig();
  rig.world.storeMs = nowMs;
  rig.world.standings.set(other, { type: "ended", successor: undefined });
  if (isClosed) rig.world.closed.add(other);
  const whole = { source, n: 5, ends: 0, closes: 0, incarnation: other, atMs: 1_000, ...mark };
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
  const mark = { source, n: 5, ends: 0, closes: 0, incarnation: me, atMs: 1_000 };
  assert.deepEqual(recordIn(asked).suspects, [{ type: "begun", mark }]);
  assert.deepEqual(one(rig.accept(asked), "run").call, 2);
  const turned = rig.turned(2);
  assert.equal(recordIn(turned).suspects, undefined);
  rig.accept(turned);
  assert.deepEqual([rig.activation.suspects.marks.size, rig.activation.suspects.active.size], [0, 0]);
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

test("one whose beginning no record says leaves nothing, and what was counted before stays", () => {
  const { rig, woken } = wokenAfter({ ends: 1 }, 1e6);
  rig.invoke(callOf(20));
  const busy = rig.turned(20); // its record is on its way: the mark must wait for the next one
  one(woken, "alone");
  assert.equal(waitsOf(rig.lane)?.alone, 1);
  rig.feed({ type: "alone", call: 9 });
  assert.equal(waitsOf(rig.lane)?.alone, 0);
  rig.feed({ type: "abandon", call: 9, why: "deadline" });
  assert.deepEqual(typesOf(rig.accept(busy)), ["owned", "reply"]);
  assert.equal(rig.activation.suspects.marks.values().next().value?.ends, 1);
});

test("a letter begins however many others came and left while a record was on its way", () => {
  const rig = createRig().owner();
  const from = (i: number): Uint8Array => {
    const id = sixteen(3);
    new DataView(id.buffer).setUint32(0, i);
    return id;
  };
  const of = (call: number, i: number) => {
    const id = { type: "sent", source: from(i), n: 5, rawHash: sixteen(1) } as const;
    return callOf(call, { id, isSuspect: true });
  };
  let flight = rig.invoke(of(2, 0));
  for (let i = 1; i <= suspectsMax + 200; i += 1) {
    rig.invoke(of(2 + i, i));
    rig.feed({ type: "abandon", call: 2 + i, why: "deadline" });
  }
  assert.equal(rig.activation.suspects.pending.size, 0, "they have left nothing");
  for (let i = 1; i <= pipelineTurnsMax / 2; i += 1) rig.invoke(of(10_000 + i, i));
  const ran: number[] = [];
  for (let step = 0; step < 4 && all(flight, "append").length > 0; step += 1) {
    const { suspects = [] } = recordIn(flight);
    assert.ok(suspects.length <= suspectsMax);
    flight = rig.accept(flight);
    ran.push(...all(flight, "run").map(({ call }) => call));
  }
  assert.equal(ran.length, 1 + pipelineTurnsMax / 2);
});

test("each step looks at those that are under way, not at all that have failed", () => {
  const rig = createRig().owner();
  rig.accept(rig.invoke(letter(2, 5)));
  rig.accept(rig.failed(2));
  const { active, ended } = rig.activation.suspects;
  assert.deepEqual([active.size, ended.size], [0, 1]);
});

test("what is marked is what replay of the lane gives", () => {
  const rig = createRig().held();
  const rows: { seq: number; atMs: number; bytes: Uint8Array }[] = [];
  const keeps = (effects: readonly LaneEffect[]): void => {
    let said = effects;
    while (all(said, "append").length > 0) {
      rows.push({ seq: rows.length + 1, atMs: 1_000, bytes: one(said, "append").bytes });
      said = rig.accept(said);
    }
    const base = replay(rows.map((row) => decodeStored(row, crc32, hash)));
    assert.ok(typeof base === "object");
    assert.deepEqual(base.suspects.marks, rig.activation.suspects.marks);
  };
  keeps(rig.turned(1));
  keeps(rig.invoke(letter(2, 5)));
  keeps(rig.failed(2));
  // it is given up while a record says that it begins
  const seal = callOf(9, { type: "deliver", id: { type: "sent", source, n: 6, rawHash: source } });
  const begins = rig.invoke(letter(3, 6));
  rig.feed({ type: "control", call: seal });
  rig.feed({ type: "abandon", call: 3, why: "deadline" });
  keeps(begins);
  keeps(rig.invoke(letter(4, 7)));
  keeps(rig.turned(4));
  keeps(rig.invoke(letter(5, 8)));
  assert.deepEqual(
    Array.from(rig.activation.suspects.marks.values(), ({ n }) => n),
    [8],
  );
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

test("nodes that were closed are not counted, nor those that live on, under this lease or another", () => {
  const lives: readonly [string, Standing, boolean][] = [
    ["closed", { type: "ended", successor: undefined }, true],
    ["back under another lease", { type: "ended", successor: sixteen(4).toHex() }, false],
    ["alive", { type: "living" }, false],
  ];
  for (const [what, standing, isClosed] of lives) {
    const world = createRig().world;
    world.standings.set(other, standing);
    if (isClosed) world.closed.add(other);
    const mark = { source, n: 5, ends: 2, closes: 0, incarnation: other, atMs: 1_000 };
    assert.equal(tallyOf(mark, world).ends, 2, what);
  }
  const { rig, woken } = wokenAfter({ ends: 0 }, 1_001, true);
  const [change] = recordIn(woken).suspects ?? [];
  assert.deepEqual(change?.type === "begun" && change.mark.ends, 0, "it begins at once, as a suspect");
  assert.equal(rig.activation.suspects.active.size, 1);
});

test("a letter that has its nodes closed in order is found too: beyond nodeClosesMax each counts as an end", () => {
  const closed = (mark: Partial<SuspectMark>, nowMs: number) => wokenAfter(mark, nowMs, true);
  const { woken } = closed({ closes: nodeClosesMax - 1 }, 1_001);
  const [change] = recordIn(woken).suspects ?? [];
  assert.ok(change?.type === "begun");
  assert.deepEqual([change.mark.ends, change.mark.closes], [0, nodeClosesMax]);
  const [early] = failures(closed({ closes: nodeClosesMax }, 1_001).woken);
  assert.equal(early?.reason, "busy", "it waits, as after an end");
  const late = closed({ closes: nodeClosesMax }, 1e6);
  assert.equal(one(late.woken, "alone").call, 9);
  const [again] = recordIn(late.rig.feed({ type: "alone", call: 9 })).suspects ?? [];
  assert.ok(again?.type === "begun");
  assert.deepEqual([again.mark.ends, again.mark.closes], [1, nodeClosesMax]);
  const [last] = failures(closed({ closes: nodeClosesMax, ends: nodeEndsMax - 1 }, 1e12).woken);
  assert.deepEqual([last?.by, last?.reason], ["node", "internal"]);
});

test("others may begin when its handler has ended, and not when its caller has left", () => {
  const alone = (): Rig => {
    const { rig } = wokenAfter({ ends: 0 }, 1e6);
    rig.accept(rig.feed({ type: "alone", call: 9 }));
    return rig;
  };
  const turned = alone();
  assert.equal(one(turned.turned(9), "endAlone").call, 9, "before its record lies in the lane");
  const late = alone();
  const left = late.feed({ type: "abandon", call: 9, why: "deadline" });
  assert.deepEqual(typesOf(left), ["fail", "cancel"]);
  assert.equal(one(late.failed(9), "endAlone").call, 9);
  const { rig: waiting } = wokenAfter({ ends: 0 }, 1e6);
  assert.equal(one(waiting.feed({ type: "abandon", call: 9, why: "caller" }), "endAlone").call, 9);
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
