import assert from "node:assert/strict";
import { test } from "node:test";
import { me, other, recordOf, sixteen } from "../../test/lane-rig.ts";
import { idText } from "./id-text.ts";
import type { FoldRecord, LaneRecord } from "./record.ts";
import { type Base, type DecodedRecord, replay } from "./replay.ts";
import { noRecord, type RecordId } from "./words.ts";

const answer = {
  id: sixteen(5),
  rawHash: sixteen(1),
  canonicalHash: sixteen(2),
  n: 1,
  expiresAtMs: 10_000,
  brief: false,
  answer: sixteen(6),
};
const row = (seq: number, record: LaneRecord): DecodedRecord => ({
  seq,
  atMs: 0,
  record,
  bytes: 100,
  hash: sixteen(seq),
});

function turns(n: number, prev: RecordId, by = me): LaneRecord {
  const key = {
    type: "key" as const,
    id: sixteen(100 + n),
    rawHash: sixteen(1),
    canonicalHash: undefined,
    keepMs: 5000,
  };
  const turn = { key, delta: sixteen(n), answer: sixteen(n) };
  return {
    ...recordOf(by, n, prev),
    type: "turns",
    turns: [turn],
    outbox: undefined,
    seen: [],
    timers: [],
    journal: undefined,
  };
}

function fold(n: number, prev: RecordId, more: Partial<FoldRecord>): LaneRecord {
  return recordOf(me, n, prev, { type: "fold", born: false, ...more });
}

function read(...rows: DecodedRecord[]): Base {
  const base = replay(rows);
  return typeof base === "string" ? assert.fail(base) : base;
}

const deltas = (base: Base): number[] => base.deltas.map((delta) => delta[0] ?? -1);

test("a fold stands for what it covers; what came between its cut and itself is replayed", () => {
  const first = turns(1, noRecord);
  const second = turns(2, first.rid);
  const third = fold(3, second.rid, {
    covers: 10,
    coversRid: first.rid,
    whole: false,
    answers: [answer],
    from: 11,
  });
  const fourth = turns(4, third.rid);
  const base = read(row(20, second), row(30, third), row(40, fourth));
  assert.deepEqual(deltas(base), [2, 4]);
  assert.equal(base.fold?.seq, 30);
  assert.deepEqual([...base.dedupe.kept.keys()], [idText(sixteen(5))]);
  assert.deepEqual([...base.dedupe.brief.keys()].sort(), [idText(sixteen(102)), idText(sixteen(104))].sort());
  assert.deepEqual([base.expect, base.n, base.prev, base.voids], [40, 4, fourth.rid, 0]);
});

test("what a fold covers is left out though it is still there", () => {
  const first = turns(1, noRecord);
  const second = fold(2, first.rid, { covers: 10, coversRid: first.rid, from: 11 });
  const third = turns(3, second.rid);
  assert.deepEqual(deltas(read(row(10, first), row(20, second), row(30, third))), [3]);
});

test("answers of a fold are carried on", () => {
  const first = turns(1, noRecord);
  const second = fold(2, first.rid, { covers: 10, coversRid: first.rid, answers: [answer] });
  assert.deepEqual([...read(row(20, second)).dedupe.kept.values()], [answer]);
});

test("a fold whose tail does not begin where it says is a gap", () => {
  const first = turns(1, noRecord);
  const second = turns(2, first.rid);
  const third = fold(3, second.rid, {
    covers: 10,
    coversRid: { incarnation: other, counter: 9 },
    whole: false,
  });
  assert.equal(replay([row(10, first), row(20, second), row(30, third)]), "gap");
  assert.equal(replay([row(20, second), row(30, third)]), "gap");
});

test("a record of a lost branch before the first that is needed is left out too", () => {
  const first = turns(1, noRecord);
  const lost = turns(2, { incarnation: other, counter: 9 }, other);
  const second = turns(2, first.rid);
  const third = fold(3, second.rid, { covers: 10, coversRid: first.rid, whole: false });
  const base = read(row(15, lost), row(20, second), row(30, third));
  assert.deepEqual(deltas(base), [2]);
  assert.equal(base.voids, 1);
});

test("a record that was written after other bytes than those before it is damage", () => {
  const first = turns(1, noRecord);
  const second = { ...turns(2, first.rid), prevHash: sixteen(10) };
  assert.deepEqual(deltas(read(row(10, first), row(20, second))), [1, 2]);
  assert.equal(replay([row(11, first), row(20, second)]), "damaged");
});

test("a tombstone is the end of a life: nothing is left but its answers", () => {
  const gone: LaneRecord = {
    ...recordOf(me, 5, { incarnation: me, counter: 1 }),
    type: "gone",
    answers: [answer],
    clients: [],
    seen: [],
  };
  const base = read(row(50, gone));
  assert.deepEqual([base.uid, base.from, deltas(base)], [undefined, 50, []]);
  assert.deepEqual([...base.dedupe.kept.values()], [answer]);
});

test("a life after a tombstone starts empty, with the answers of the one before", () => {
  const gone: LaneRecord = {
    ...recordOf(me, 5, { incarnation: me, counter: 1 }),
    type: "gone",
    answers: [answer],
    clients: [],
    seen: [],
  };
  const born = { ...turns(6, gone.rid), born: true };
  const base = read(row(50, gone), row(60, born));
  assert.deepEqual(deltas(base), [6]);
  assert.deepEqual([...base.dedupe.kept.values()], [answer]);
  assert.notEqual(base.uid, undefined);
});

test("a life whose tombstone has expired is read from its birth", () => {
  const born = { ...turns(6, { incarnation: me, counter: 1 }), born: true };
  assert.deepEqual(deltas(read(row(60, born))), [6]);
});

test("rows without a beginning are a gap", () => {
  const second = turns(2, { incarnation: me, counter: 1 });
  assert.equal(replay([row(20, second)]), "gap");
  assert.equal(replay([]), "gap");
});
