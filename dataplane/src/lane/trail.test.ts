import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import {
  callOf,
  createRig,
  hash,
  me,
  one,
  type Rig,
  recordOf,
  sixteen,
  stored,
  typesOf,
} from "../../test/lane-rig.ts";
import { sparseMin, trailMax } from "./constants.ts";
import { foldBoundsOf } from "./fold.ts";
import { decodeRecord, type LaneRecord, type TurnsRecord } from "./record.ts";
import type { TrailPart } from "./record-trail.ts";
import { addTrail, cutTrail, openTrail, trailAt } from "./trail.ts";
import type { LaneEffect, StoredRecord } from "./types.ts";
import { noRecord } from "./words.ts";

/** Records at those sequences, each after the one before it, with what it says of them. */
function laneAt(seqs: readonly number[], trailOf = told): StoredRecord[] {
  const rows: StoredRecord[] = [];
  let [prev, prevHash] = [noRecord, sixteen(0)];
  for (const [i, seq] of seqs.entries()) {
    const trail = trailOf(seqs.slice(0, i));
    const record: LaneRecord = {
      ...(recordOf(me, i + 1, prev) as TurnsRecord),
      prevHash,
      turns: [{ key: undefined, delta: sixteen(i), answer: new Uint8Array(0) }],
      ...(trail !== undefined && { trail }),
    };
    const row = stored(seq, record);
    [prev, prevHash] = [record.rid, hash(row.bytes)];
    rows.push(row);
  }
  return rows;
}

const told = (before: readonly number[]): TrailPart | undefined =>
  trailAt(
    openTrail(
      1,
      before.map((seq) => ({ seq })),
    ),
    before.length,
  );

const far = (count: number, from = 1): number[] =>
  Array.from({ length: count }, (_, i) => (from + i) * 1_000);

/** The session is woken; each read is answered from the lane until there is none. */
function wake(
  rows: readonly StoredRecord[],
  rig = createRig(),
): { rig: Rig; reads: LaneEffect[]; effects: LaneEffect[] } {
  const reads: LaneEffect[] = [];
  let effects = rig.last(rig.invoke(callOf(50)), rows.at(-1));
  for (;;) {
    const read = effects.find(({ type }) => type === "readAt" || type === "readRange");
    if (read?.type !== "readAt" && read?.type !== "readRange") return { rig, reads, effects };
    reads.push(read);
    const { token } = read;
    const found =
      read.type === "readAt"
        ? rows.filter(({ seq }) => read.seqs.includes(seq))
        : rows.filter(({ seq }) => seq >= read.from).slice(0, read.limit);
    effects = rig.feed({ type: "range", token, records: found });
  }
}

const readsOf = (reads: readonly LaneEffect[]): unknown[] =>
  reads.map((read) =>
    read.type === "readAt" ? read.seqs : read.type === "readRange" && [read.from, read.limit],
  );
const deltasOf = (effects: readonly LaneEffect[]): number[] =>
  one(effects, "open").image.deltas.map(([first]) => first ?? -1);
const countTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const trailIn = (effects: readonly LaneEffect[]): TrailPart | undefined => {
  const record = decodeRecord(one(effects, "append").bytes, crc32);
  return record.type === "turns" ? record.trail : assert.fail(record.type);
};

test("records that lie far apart are read one by one, and the next record says where all of them lie", () => {
  const { rig, reads, effects } = wake(laneAt(far(4)));
  assert.deepEqual(readsOf(reads), [far(3)]);
  assert.deepEqual(deltasOf(effects), countTo(4));
  const append = rig.turned(50);
  assert.equal(one(append, "append").expect, 4_000);
  assert.deepEqual(trailIn(append), { count: 4, first: 1_000, seqs: far(4) });
});

test("those that lie close together are read at once", () => {
  for (const [gap, expected] of [
    [sparseMin, [[1_000, 1_000 + sparseMin]]],
    [sparseMin - 1, [[1, undefined]]],
  ] as const) {
    const { reads, effects } = wake(laneAt(countTo(3).map((i) => 1_000 + i * gap)));
    assert.deepEqual(readsOf(reads), expected);
    assert.deepEqual(deltasOf(effects), countTo(3));
  }
});

test("a long tail is followed from record to record, until what is left lies close together", () => {
  const long = wake(laneAt(far(2 * trailMax + 4)));
  assert.deepEqual(readsOf(long.reads), [far(trailMax, trailMax + 4), far(trailMax, 4), far(3)]);
  assert.deepEqual(deltasOf(long.effects), countTo(2 * trailMax + 4));
  const close = countTo(100).map((i) => 7 + 2 * i);
  const mixed = wake(laneAt([...close, ...far(trailMax + 1, 10)]));
  assert.deepEqual(readsOf(mixed.reads), [far(trailMax, 10), [7, 100]]);
  assert.deepEqual(deltasOf(mixed.effects), countTo(100 + trailMax + 1));
});

test("records of a version that did not say it end the trail", () => {
  const rows = laneAt(far(trailMax + 9), (before) => (before.length > 8 ? told(before) : undefined));
  const { reads, effects } = wake(rows);
  assert.deepEqual(readsOf(reads), [far(trailMax, 9), [1_000, 8]]);
  assert.deepEqual(deltasOf(effects), countTo(trailMax + 9));
  assert.deepEqual(readsOf(wake(laneAt(far(3), () => undefined)).reads), [[1, undefined]]);
});

/** What a trail may say that is not so. */
const wrong: Record<string, (trail: TrailPart) => TrailPart> = {
  "leaves one out": (trail) => ({ ...trail, seqs: trail.seqs.toSpliced(1, 1) }),
  "leaves one out and counts none": (trail) => ({
    ...trail,
    count: trail.count - 1,
    seqs: trail.seqs.toSpliced(1, 1),
  }),
  "leaves out the first and counts none": (trail) => ({
    ...trail,
    count: trail.count - 1,
    seqs: trail.seqs.slice(1),
  }),
  "leaves out the last and counts none": (trail) => ({
    ...trail,
    count: trail.count - 1,
    seqs: trail.seqs.slice(0, -1),
  }),
  "is of a log with other sequences": ({ count, first, seqs }) => ({
    count,
    first: first + 7,
    seqs: seqs.map((seq) => seq + 7),
  }),
  "is of a log that lay a record further": ({ count, first, seqs }) => ({
    count,
    first,
    seqs: seqs.map((seq) => seq + 1_000),
  }),
  "counts too many": (trail) => ({ ...trail, count: trail.count + 3 }),
};

for (const [what, changed] of Object.entries(wrong))
  test(`a trail that ${what} costs a read, and nothing else`, () => {
    const rows = laneAt(far(5), (before) => {
      const trail = told(before);
      return trail && before.length === 4 ? changed(trail) : trail;
    });
    const { rig, reads, effects } = wake(rows);
    assert.deepEqual(readsOf(reads).at(-1), [1, undefined]);
    assert.deepEqual(deltasOf(effects), countTo(5));
    assert.deepEqual(trailIn(rig.turned(50)), { count: 5, first: 1_000, seqs: far(5) });
  });

test("a trail that leads to a damaged record, or to none, or to one of a lost branch: the tail decides", () => {
  const [rows, missing, branched] = [laneAt(far(4)), laneAt(far(4)), laneAt(far(4))];
  const [, second] = rows;
  assert.ok(second !== undefined);
  second.bytes[20] = (second.bytes[20] ?? 0) ^ 1;
  const damaged = wake(rows);
  assert.deepEqual(readsOf(damaged.reads), [far(3), [1, undefined]]);
  assert.match(one(damaged.effects, "incident").message, /record at sequence 2000: crc32/);

  const gap = wake(missing.toSpliced(1, 1));
  assert.deepEqual(readsOf(gap.reads), [far(3), [1_000, 1], [1, undefined]]);
  assert.deepEqual(typesOf(gap.effects), [], "it is read again");
  assert.equal(one(gap.rig.wait(100, "wake"), "readLast").leader, true);

  const lost = stored(3_500, recordOf(me, 3, { incarnation: me, counter: 5 }));
  const withVoid = laneAt([...far(3), 4_000], (before) => {
    const trail = told(before);
    return trail && before.length === 3 ? { ...trail, count: 4, seqs: [...far(3), 3_500] } : trail;
  });
  assert.equal(branched.length, withVoid.length);
  const skipped = wake(withVoid.toSpliced(3, 0, lost));
  assert.deepEqual(readsOf(skipped.reads), [
    [...far(3), 3_500],
    [1, undefined],
  ]);
  assert.equal(one(skipped.effects, "incident").incident, "void_record");
  assert.deepEqual(deltasOf(skipped.effects), countTo(4));
});

test("a lane of another name with the same token is refused, however it is read", () => {
  const rows = laneAt(far(3));
  const name = { namespace: "default", agent: "counter", key: "another" };
  const [first, second, third] = rows.map(({ bytes }) => decodeRecord(bytes, crc32));
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  const theirs = stored(1_000, { ...first, name });
  const linked = { ...second, prevHash: hash(theirs.bytes) };
  const next = stored(2_000, linked);
  const { reads, effects } = wake([theirs, next, stored(3_000, { ...third, prevHash: hash(next.bytes) })]);
  assert.deepEqual(readsOf(reads), [far(2), [1, undefined]]);
  assert.match(one(effects, "incident").message, /belongs to .*another/);
});

test("what the leader has is read as it lies, once another has misled", () => {
  const rows = laneAt(far(3));
  const { rig, reads } = wake(rows.toSpliced(0, 1));
  assert.deepEqual(readsOf(reads), [far(2), [1_000], [1, undefined]]);
  const effects = rig.last(rig.wait(100, "wake"), rows[2]);
  assert.equal(one(effects, "readRange").leader, true);
  assert.deepEqual(deltasOf(rig.range(effects, ...rows)), countTo(3));
});

test("a trail begins after what the last fold covers, and goes on where the session is woken", () => {
  const rig = createRig({ folds: { ...foldBoundsOf(true), foldRecordsMax: 2 } }).owner();
  const lane: StoredRecord[] = [];
  const accept = (effects: readonly LaneEffect[]): LaneEffect[] => {
    const { bytes } = one(effects, "append");
    const next = rig.accept(effects, 999);
    lane.push({ seq: rig.activation.tip.expect, atMs: 0, bytes });
    return next;
  };
  const turn = (call: number): LaneEffect[] => {
    rig.invoke(callOf(call));
    return rig.turned(call);
  };
  const second = turn(2);
  assert.deepEqual(trailIn(second), { count: 1, first: 1, seqs: [1] });
  accept(second); // asks for a cut
  const third = turn(3);
  rig.cut(2);
  accept(accept(third)); // the fold
  const fourth = turn(4);
  assert.deepEqual(trailIn(fourth), { count: 2, first: 2_001, seqs: [2_001, 3_001] });
  accept(fourth);
  const woken = wake(lane);
  assert.deepEqual(readsOf(woken.reads), [[2_001, 3_001]]);
  assert.equal(one(woken.effects, "open").image.deltas.length, 2);
  assert.deepEqual(trailIn(woken.rig.turned(50)), { count: 3, first: 2_001, seqs: [2_001, 3_001, 4_001] });
});

test("a fold cuts the trail where it covers, also when more records than it names came after", () => {
  const trail = openTrail(5, [{ seq: 10 }, { seq: 20 }]);
  for (const seq of [30, 40]) addTrail(trail, seq);
  cutTrail(trail, { seq: 20, n: 6 });
  assert.deepEqual(trailAt(trail, 8), { count: 2, first: 30, seqs: [30, 40] });
  const many = openTrail(1, []);
  for (const seq of far(40)) addTrail(many, seq);
  assert.deepEqual(trailAt(many, 40), { count: 40, first: 1_000, seqs: far(trailMax, 25) });
  cutTrail(many, { seq: 10_000, n: 10 });
  assert.deepEqual(trailAt(many, 40), { count: 30, first: 10_001, seqs: far(trailMax, 25) });
  cutTrail(many, { seq: 40_000, n: 40 });
  assert.equal(trailAt(many, 40), undefined);
});
