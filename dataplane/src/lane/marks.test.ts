// Marks: written for every record that is accepted, and compared with the lane by who wakes the session.
import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import type { Mark } from "@voda/proto/mark";
import { all, callOf, createRig, hash, one, other, readOf, recordOf, stored } from "../../test/lane-rig.ts";
import { wakeAttemptsMax } from "./constants.ts";
import type { LaneRecord } from "./record.ts";
import { decodeStored, replay, replayKept } from "./replay.ts";
import type { LaneEffect, StoredRecord } from "./types.ts";

const ended = { type: "ended", successor: undefined } as const;
const markOf = ({ seq, bytes }: StoredRecord, more: Partial<Mark> = {}): Mark => ({
  seq,
  n: seq,
  hash: hash(bytes),
  isGone: false,
  isAccepted: false,
  ...more,
});

/** Records of another node, each after the one before it, at sequences of their positions. */
function lane(count: number): StoredRecord[] {
  const records: LaneRecord[] = [];
  for (let n = 1; n <= count; n += 1) records.push(recordOf(other, n, records.at(-1)?.rid));
  return records.map((record) => stored(record.n, record));
}

function coldRig() {
  const rig = createRig();
  rig.world.standings.set(other, ended);
  return rig;
}

const failureOf = (effects: readonly LaneEffect[]) => one(effects, "fail").failure;

test("each accepted record is marked, with its sequence, position and hash; a release at once", () => {
  const { rig, release } = createRig().releasing();
  const [mark] = all(rig.feed({ type: "appended", token: release.token, seq: 7 }), "mark");
  assert.deepEqual(mark, {
    type: "mark",
    mark: { seq: 7, n: 2, hash: hash(release.bytes), isGone: false, isAccepted: false },
    isUrgent: true,
  });
  const busy = createRig().held();
  const effects = busy.accept(busy.turned(1));
  assert.equal(one(effects, "mark").isUrgent, false);
});

test("the claim of a session that is only read is not marked: without it the lane says the same", () => {
  const rig = coldRig();
  const records = lane(2);
  const claim = rig.range(rig.last(rig.invoke(readOf(1)), records[1]), ...records);
  const accepted = rig.accept(claim);
  assert.equal(rig.phase, "owner");
  assert.deepEqual(all(accepted, "mark"), []);
  rig.invoke(callOf(2));
  assert.equal(one(rig.accept(rig.turned(2)), "mark").mark.n, 4);
});

test("a lane that is behind its mark is read from the leader, and then served to nobody", () => {
  const rig = coldRig();
  const records = lane(3);
  const mark = markOf(stored(5, recordOf(other, 5)));
  const first = rig.last(rig.invoke(callOf(1)), records[2], mark);
  rig.range(first, ...records);
  assert.equal(rig.phase, "waking");
  const again = rig.wait(200, "wake");
  assert.equal(one(again, "readLast").leader, true);
  const effects = rig.range(rig.last(again, records[2], mark), ...records);
  assert.equal(one(effects, "incident").incident, "data_loss");
  const { code, reason, message } = failureOf(effects);
  assert.deepEqual([code, reason], ["data_loss", "data_loss"]);
  assert.match(message, /default\/counter\/k lost records/);
  assert.match(message, /ends at position 3 \(sequence 3\), acknowledged was position 5 \(sequence 5\)/);
  assert.match(message, /voda doctor.*voda accept-loss counter\/k`/);
  assert.equal(rig.phase, "cold");
});

test("the way on names a namespace that is not the default", () => {
  const rig = createRig({ name: { namespace: "team", agent: "counter", key: "k" } });
  const unreadable = { seq: 1, atMs: 0, bytes: new Uint8Array(40) };
  assert.match(
    failureOf(rig.last(rig.invoke(callOf(1)), unreadable)).message,
    /counter\/k --namespace team`/,
  );
});

test("a lane without any record is behind its mark too, for readers as well; not when it was deleted", () => {
  const mark = markOf(stored(5, recordOf(other, 5)));
  for (const isGone of [false, true]) {
    const rig = coldRig();
    const asked = rig.last(rig.invoke(readOf(1)), undefined, { ...mark, isGone });
    const effects = rig.feed({ type: "traces", token: one(asked, "readTraces").token, found: "nothing" });
    assert.equal(all(effects, "open").length, isGone ? 1 : 0);
    if (isGone) continue;
    const leader = rig.last(rig.wait(200, "wake"), undefined, mark);
    const refused = rig.feed({ type: "traces", token: one(leader, "readTraces").token, found: "nothing" });
    assert.equal(failureOf(refused).reason, "data_loss");
  }
});

test("another record in the place of the marked one is a loss; records after it are none", () => {
  const records = lane(3);
  const [, second = assert.fail(), third = assert.fail()] = records;
  const rig = coldRig();
  rig.range(rig.last(rig.invoke(callOf(1)), third, markOf(second)), ...records);
  assert.equal(rig.phase, "held");
  const hurt = coldRig();
  const mark = { ...markOf(third), hash: hash(second.bytes) };
  hurt.range(hurt.last(hurt.invoke(callOf(1)), third, mark), ...records);
  assert.equal(hurt.phase, "waking");
  const refused = hurt.range(hurt.last(hurt.wait(200, "wake"), third, mark), ...records);
  assert.equal(failureOf(refused).reason, "data_loss");
});

test("an accepted loss: the session goes on after all that links, and folds at once", () => {
  const rig = coldRig();
  const [first = assert.fail(), second = assert.fail(), , fourth = assert.fail()] = lane(4);
  const last = stored(5, { ...recordOf(other, 5, decodeStored(fourth, crc32, hash).record.rid), from: 5 });
  const mark = markOf(last, { isAccepted: true });
  rig.last(rig.invoke(callOf(1)), last, mark);
  const read = rig.last(rig.wait(200, "wake"), last, mark);
  assert.equal(one(read, "readRange").from, 1);
  rig.range(read, first, second, last);
  const { tip } = rig.activation;
  assert.deepEqual([tip.n, tip.expect], [2, 5]);
  const accepted = rig.accept(rig.turned(1));
  assert.equal(all(accepted, "cut").length, 1);
  assert.equal(one(accepted, "mark").mark.n, 3);
});

test("nothing that links is left: the accepted session begins anew behind what is there", () => {
  const rig = coldRig();
  const last = lane(5)[4] ?? assert.fail();
  const mark = markOf(last, { isAccepted: true });
  rig.last(rig.invoke(callOf(1)), last, mark);
  rig.range(rig.last(rig.wait(200, "wake"), last, mark), last);
  const { tip } = rig.activation;
  assert.deepEqual([tip.n, tip.expect, tip.born], [0, 5, true]);
});

test("of a lane of which nothing is left nothing is kept", () => {
  const { n, expect, uid } = replayKept([], false);
  assert.deepEqual([n, expect, uid], [0, 0, undefined]);
});

test("the last record cannot be read: the accepted session goes on where the store sees an empty lane", () => {
  const rig = coldRig();
  const records = lane(3);
  const mark = markOf(stored(4, recordOf(other, 4)), { isAccepted: true });
  rig.last(rig.invoke(callOf(1)), undefined, mark);
  const asked = rig.last(rig.wait(200, "wake"), undefined, mark);
  const read = rig.feed({ type: "traces", token: one(asked, "readTraces").token, found: "records" });
  rig.range(read, ...records);
  assert.deepEqual([rig.activation.tip.n, rig.activation.tip.expect], [3, 0]);
  const { bytes } = one(rig.turned(1), "append");
  const rows = [...records, { seq: 5, atMs: 0, bytes }].map((record) => decodeStored(record, crc32, hash));
  const base = replay(rows);
  assert.ok(base !== "gap" && base !== "damaged");
  assert.deepEqual([base.n, base.expect, base.voids], [4, 5, 0]);
});

test("a gap without an accepted loss is corrupt, and the failure says what was acknowledged", () => {
  const rig = coldRig();
  const records = lane(5);
  const [first = assert.fail(), , , , last = assert.fail()] = records;
  let effects = rig.range(rig.last(rig.invoke(callOf(1)), last, markOf(last)), first, last);
  for (let attempt = 1; attempt <= wakeAttemptsMax; attempt += 1)
    effects = rig.range(rig.last(rig.wait(200, "wake"), last, markOf(last)), first, last);
  assert.match(failureOf(effects).message, /acknowledged was position 5.*accept-loss/);
});

test("what vanished under its owner is marked again: it may wake the session itself", () => {
  const rig = createRig().verifying();
  const { n, expect } = rig.activation.tip;
  const told = rig.last(rig.invoke(callOf(2)));
  const mark = all(told, "mark").at(-1);
  assert.deepEqual(
    [mark?.isUrgent, mark?.mark.n, mark?.mark.seq, mark?.mark.isGone],
    [true, n, expect, false],
  );
});

test("so is what vanished under one that only holds it since, by a new lease or by what it read", () => {
  const renewed = createRig().owner();
  renewed.feed({ type: "connection", up: false });
  renewed.world.incarnation = "c".repeat(32);
  renewed.feed({ type: "leases" });
  renewed.feed({ type: "connection", up: true });
  const reader = createRig().readable();
  reader.feed({ type: "connection", up: false });
  reader.feed({ type: "connection", up: true });
  for (const rig of [renewed, reader]) {
    assert.equal(rig.activation.tip.claim, "held");
    const { n, expect } = rig.activation.tip;
    const told = rig.last(rig.invoke(callOf(9)));
    assert.equal(one(told, "incident").incident, "data_loss");
    const { mark, isUrgent } = one(told, "mark");
    assert.deepEqual([isUrgent, mark.n, mark.seq, mark.isGone], [true, n, expect, false]);
  }
});

test("nothing is marked of a life that no record has begun: a tombstone goes by itself", () => {
  const rig = coldRig();
  const gone = stored(4, { ...recordOf(other, 4), type: "gone", answers: [], clients: [] });
  rig.last(rig.invoke(callOf(1)), gone);
  assert.equal(rig.activation.tip.claim, "held");
  rig.feed({ type: "connection", up: false });
  const told = rig.last(rig.feed({ type: "connection", up: true }));
  assert.deepEqual(all(told, "mark"), []);
});

test("records after a gap are void once a later one goes on from before it", () => {
  const [first = assert.fail(), second = assert.fail(), , fourth = assert.fail()] = lane(4);
  const rows = [first, second, fourth].map((row) => decodeStored(row, crc32, hash));
  assert.equal(replay(rows), "gap");
  const kept = replayKept(rows, false);
  const next = { ...recordOf("c".repeat(32), kept.n + 1, kept.prev), epoch: 2, prevHash: kept.prevHash };
  const base = replay([...rows, decodeStored(stored(5, next), crc32, hash)]);
  assert.ok(base !== "gap" && base !== "damaged");
  assert.deepEqual([base.n, base.expect, base.voids], [3, 5, 1]);
});

test("an owner whose last record is there, but not what others wrote after it, is fenced", () => {
  const rig = createRig().verifying();
  const mark = markOf(stored(9, recordOf(other, 9)));
  const effects = rig.last(rig.invoke(callOf(2)), rig.tip(), mark);
  assert.equal(one(effects, "incident").incident, "data_loss");
  assert.match(one(effects, "incident").message, /up to sequence 9 were acknowledged/);
  assert.equal(rig.phase, "waking");
});

test("so is one whose record was stored without its hearing of it, when what others wrote after it is lost", () => {
  const { rig, flight } = createRig().settling();
  const record = { seq: 2, atMs: 0, bytes: flight.bytes };
  const reading = rig.feed({ type: "refused", token: flight.token });
  const effects = rig.last(reading, record, markOf(stored(3, recordOf(other, 3))));
  assert.equal(one(effects, "incident").incident, "data_loss");
  assert.deepEqual([all(effects, "append"), all(effects, "owned")], [[], []]);
  assert.equal(rig.phase, "waking");
});
