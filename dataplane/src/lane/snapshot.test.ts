import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import type { HashedPage } from "@voda/proto/wire";
import { all, callOf, createRig, me, one, type Rig, sixteen, typesOf } from "../../test/lane-rig.ts";
import { foldSpanMax, recordBytesMax, rejectedRetryMs, retiredBytesMax, trailMax } from "./constants.ts";
import { foldBoundsOf } from "./fold.ts";
import { decodeRecord, type FoldRecord } from "./record.ts";
import type { LaneEffect } from "./types.ts";

const folds = { ...foldBoundsOf(true), foldRecordsMax: 2, inlineBytesMax: 1000 };
const large = (first: number): HashedPage => ({
  hash: sixteen(first),
  bytes: new Uint8Array(900).fill(first),
});

function foldIn(effects: readonly LaneEffect[]): FoldRecord {
  const record = decodeRecord(one(effects, "append").bytes, crc32);
  assert.equal(record.type, "fold");
  return record.type === "fold" ? record : assert.fail();
}

function turnsIn(effects: readonly LaneEffect[]): number {
  const record = decodeRecord(one(effects, "append").bytes, crc32);
  return record.type === "turns" ? record.turns.length : assert.fail(record.type);
}

/** Commits a turn of that call. */
function commit(rig: Rig, call: number): LaneEffect[] {
  rig.invoke(callOf(call));
  return rig.accept(rig.turned(call));
}

const cutOf = (rig: Rig, after: number, pages: readonly HashedPage[]): LaneEffect[] =>
  rig.feed({ type: "cut", activation: rig.activation.number, after, pages });

test("turns that ran while a record was on its way form the next, at most 256 of them", () => {
  const rig = createRig().held();
  for (let call = 2; call <= 302; call += 1) rig.invoke(callOf(call, { id: undefined }));
  const first = rig.turned(1);
  for (let call = 2; call <= 302; call += 1) rig.turned(call);
  const second = rig.accept(first);
  assert.equal(turnsIn(second), 256);
  assert.equal(turnsIn(rig.accept(second)), 45);
});

test("a record holds at most 512 KiB of turns; one larger turn forms its own", () => {
  const rig = createRig().owner();
  for (let call = 2; call <= 6; call += 1) rig.invoke(callOf(call));
  const first = rig.turned(2);
  rig.turned(3, 300_000);
  rig.turned(4, 300_000);
  rig.turned(5, 900_000);
  rig.turned(6);
  const sizes: number[] = [];
  for (let effects = rig.accept(first); all(effects, "append").length > 0; effects = rig.accept(effects))
    sizes.push(turnsIn(effects));
  assert.deepEqual(sizes, [1, 1, 1, 1]);
});

test("turns of just 512 KiB with their answers make one record", () => {
  const rig = createRig().owner();
  for (let call = 2; call <= 4; call += 1) rig.invoke(callOf(call));
  const first = rig.turned(2);
  rig.turned(3, recordBytesMax / 2 - 16);
  rig.turned(4, recordBytesMax / 2 - 16);
  assert.equal(turnsIn(rig.accept(first)), 2);
});

test("a busy session folds after so many records, between two of them, and goes on", () => {
  const rig = createRig({ folds }).owner();
  rig.invoke(callOf(2));
  const flight = rig.turned(2);
  assert.deepEqual(typesOf(rig.accept(flight)), ["reply", "cut"]);
  rig.invoke(callOf(3));
  rig.invoke(callOf(4));
  rig.invoke(callOf(5));
  const third = rig.turned(3);
  rig.turned(4);
  // the worker takes the cut after turn 4, and goes on
  assert.deepEqual(typesOf(rig.cut(4)), []);
  rig.turned(5);
  const fourth = rig.accept(third);
  assert.equal(turnsIn(fourth), 1);
  const fold = rig.accept(fourth);
  assert.deepEqual([foldIn(fold).covers, foldIn(fold).whole, foldIn(fold).released], [4, true, false]);
  assert.equal(turnsIn(rig.accept(fold)), 1);
});

test("a session folds after so many bytes too, however few its records are", () => {
  const { bytes } = one(createRig().held().turned(1), "append");
  for (const [foldBytesMax, types] of [
    [bytes.length, ["owned", "reply", "cut"]],
    [bytes.length + 1, ["owned", "reply"]],
  ] as const) {
    const rig = createRig({ folds: { ...foldBoundsOf(true), foldBytesMax } }).held();
    assert.deepEqual(typesOf(rig.accept(rig.turned(1))), types);
  }
});

test("a session folds too once as many records as a trail names lie far from each other", () => {
  const write = (rig: Rig, call: number, others: number): readonly string[] => {
    rig.invoke(callOf(call));
    return typesOf(rig.accept(rig.turned(call), others));
  };
  const wide = createRig().owner();
  assert.deepEqual(write(wide, 2, foldSpanMax), ["reply"]);
  for (let call = 3; call < trailMax; call += 1) assert.deepEqual(write(wide, call, 0), ["reply"], `${call}`);
  assert.deepEqual(write(wide, trailMax, 0), ["reply", "cut"]);
  wide.accept(wide.cut());
  assert.deepEqual(write(wide, trailMax + 1, foldSpanMax), ["reply"], "from the fold on it counts anew");
  const close = createRig().owner();
  for (let call = 2; call < trailMax; call += 1) write(close, call, 0);
  assert.deepEqual(write(close, trailMax, foldSpanMax - trailMax), ["reply"]);
  assert.deepEqual(write(close, trailMax + 1, 0), ["reply", "cut"]);
});

test("a fold that is ready while a turn still runs does not release the session", () => {
  const rig = createRig({ folds }).owner();
  commit(rig, 2);
  rig.invoke(callOf(3));
  rig.feed({ type: "sleep" });
  const fold = rig.cut();
  assert.equal(foldIn(fold).released, false);
  rig.accept(fold);
  assert.deepEqual(typesOf(rig.accept(rig.turned(3))), ["reply", "cut"]);
  assert.equal(foldIn(rig.cut()).released, true);
});

test("a fold whose pages took long covers less than its predecessor, and says so", () => {
  const rig = createRig({ folds: { ...folds, inlineBytesMax: 0 } }).owner();
  commit(rig, 2);
  const writing = rig.cut();
  rig.invoke(callOf(3));
  const flight = rig.turned(3);
  assert.deepEqual(typesOf(flight), ["append"]);
  rig.feed({ type: "pages_written", token: one(writing, "writePages").token });
  const fold = foldIn(rig.accept(flight));
  assert.deepEqual([fold.covers, fold.whole, fold.n], [2, false, 4]);
});

test("with too many names of pages that wait for a trim, the next fold is one that lets some of them go", () => {
  const rig = createRig({ folds: { ...folds, trimDelayMs: 60_000 } }).owner();
  commit(rig, 2);
  rig.accept(rig.cut());
  rig.activation.fold.retiredBytes = retiredBytesMax;
  commit(rig, 3);
  assert.deepEqual(typesOf(commit(rig, 4)), ["reply"], "its tail is long");
  assert.deepEqual(typesOf(rig.wait(60_000)), ["cut"]);
});

test("unchanged pages keep their names, and pages that no fold names are deleted after the trim", () => {
  const rig = createRig({ folds }).owner();
  commit(rig, 2);
  const written = one(cutOf(rig, 2, [large(1), large(2)]), "writePages");
  assert.deepEqual(
    written.pages.map((page) => page.name),
    [
      { epoch: 1, index: 0 },
      { epoch: 1, index: 1 },
    ],
  );
  const first = rig.feed({ type: "pages_written", token: written.token });
  assert.equal(foldIn(first).inline, undefined);
  rig.accept(first);
  commit(rig, 3);
  commit(rig, 4);
  const changed = one(cutOf(rig, 4, [large(1), large(3)]), "writePages");
  assert.deepEqual(
    changed.pages.map((page) => page.name),
    [{ epoch: 1, index: 2 }],
  );
  const second = rig.accept(rig.feed({ type: "pages_written", token: changed.token }));
  // the first fold lies at 3 and covers 2: it stays, and so do its pages
  assert.deepEqual([one(second, "trim").below, typesOf(second)], [3, ["trim"]]);
  commit(rig, 5);
  commit(rig, 6);
  const same = cutOf(rig, 6, [large(1), large(3)]);
  assert.deepEqual(typesOf(same), ["append"]);
  assert.deepEqual(foldIn(same).retired, []);
  const third = rig.accept(same);
  assert.deepEqual(one(third, "deletePages").names, [{ epoch: 1, index: 1 }]);
});

test("after a fold as many records go by before the next, and a session that ends makes none", () => {
  const rig = createRig({ folds }).owner();
  assert.deepEqual(typesOf(commit(rig, 2)), ["reply", "cut"]);
  rig.accept(rig.cut());
  assert.deepEqual(typesOf(commit(rig, 3)), ["reply"]);
  rig.invoke(callOf(4));
  rig.invoke(callOf(5));
  const record = rig.turned(4);
  rig.feed({ type: "control", call: callOf(6, { type: "end" }) });
  assert.deepEqual(typesOf(rig.accept(record)), ["reply"]);
});

test("pages that could not be written are written again, under new names", () => {
  const rig = createRig({ folds }).owner();
  commit(rig, 2);
  const written = one(cutOf(rig, 2, [large(1), large(2)]), "writePages");
  assert.deepEqual(typesOf(rig.feed({ type: "store_failed", token: written.token })), []);
  const again = one(rig.wait(100, "fold"), "writePages");
  assert.deepEqual(
    again.pages.map((page) => page.name.index),
    [2, 3],
  );
});

test("a fold that a full store rejects is tried again after a while, and the session goes on", () => {
  const rig = createRig({ folds }).owner();
  commit(rig, 2);
  const { token } = one(rig.cut(), "append");
  const effects = rig.feed({ type: "rejected", token, why: "no space left" });
  assert.equal(one(effects, "timer").atMs, rig.world.monotonicMs + rejectedRetryMs);
  commit(rig, 3);
  assert.deepEqual(typesOf(rig.wait(rejectedRetryMs - 1, "fold")), []);
  assert.equal(foldIn(rig.wait(1, "fold")).covers, 2);
});

test("where the store may lose its tail, a fold must be old before what it covers goes", () => {
  const rig = createRig({ folds: { ...folds, trimDelayMs: 300_000 } }).owner();
  const foldAt = (call: number): LaneEffect[] => {
    commit(rig, call);
    commit(rig, call + 1);
    return rig.accept(rig.cut());
  };
  const trims = (effects: readonly LaneEffect[]): number[] => all(effects, "trim").map((trim) => trim.below);
  commit(rig, 50);
  rig.accept(rig.cut()); // covers 2
  assert.deepEqual(trims(foldAt(60)), []);
  rig.wait(200_000);
  assert.deepEqual(trims(foldAt(70)), []);
  rig.wait(100_000);
  // the first two are old enough now: the younger of them waits in the last fold as the next mark
  assert.deepEqual(trims(foldAt(80)), [3]);
});

test("a fold's age counts from its acceptance, not from its making", () => {
  const rig = createRig({ folds: { ...folds, trimDelayMs: 300_000 } }).owner();
  const cut = (call: number): LaneEffect[] => {
    commit(rig, call);
    commit(rig, call + 1);
    return rig.cut();
  };
  const first = cut(50);
  const covered = foldIn(first).covers;
  rig.world.storeMs += 250_000; // it was long on its way
  rig.accept(first);
  rig.world.storeMs += 299_999;
  assert.deepEqual(all(rig.accept(cut(60)), "trim"), []);
  rig.world.storeMs += 1;
  const trims = all(rig.accept(cut(70)), "trim");
  assert.deepEqual(
    trims.map(({ below }) => below),
    [covered + 1],
  );
});

test("what a fold says about itself wakes the session with it alone", () => {
  const rig = createRig().owner();
  rig.feed({ type: "sleep" });
  const release = rig.cut();
  const fold = foldIn(release);
  assert.deepEqual(
    [fold.released, fold.whole, fold.covers, fold.from, fold.rid.incarnation],
    [true, true, 1, 2, me],
  );
  assert.deepEqual(fold.name, { namespace: "default", agent: "counter", key: "k" });
});

test("pages of which no fold is trimmed yet stay listed, so that whoever trims them later deletes them", () => {
  const rig = createRig({ folds: { ...folds, trimDelayMs: 300_000 } }).owner();
  const fold = (call: number, pages: readonly HashedPage[]): LaneEffect[] => {
    commit(rig, call);
    commit(rig, call + 1);
    const { token } = one(cutOf(rig, call + 1, pages), "writePages");
    return rig.feed({ type: "pages_written", token });
  };
  commit(rig, 2);
  const { token } = one(cutOf(rig, 2, [large(1), large(2)]), "writePages");
  const first = rig.feed({ type: "pages_written", token });
  assert.deepEqual(foldIn(first).retired, []);
  rig.accept(first);
  const second = fold(3, [large(1), large(3)]);
  assert.deepEqual(foldIn(second).retired, [{ seq: 3, names: [{ epoch: 1, index: 1 }] }]);
});

test("a session that ends takes its page with it", () => {
  const rig = createRig({ folds: { ...folds, inlineBytesMax: 0 } }).owner();
  commit(rig, 2);
  const { token } = one(rig.cut(), "writePages");
  rig.accept(rig.feed({ type: "pages_written", token }));
  const ended = rig.accept(rig.feed({ type: "control", call: callOf(9, { type: "end" }) }));
  assert.deepEqual(one(ended, "deletePages").names, [{ epoch: 1, index: 0 }]);
});

test("a snapshot of just inlineBytesMax lies in the fold", () => {
  const rig = createRig({ folds }).owner();
  commit(rig, 2);
  const page = { hash: sixteen(1), bytes: new Uint8Array(folds.inlineBytesMax) };
  assert.equal(foldIn(cutOf(rig, 2, [page])).inline?.length, 1);
});
