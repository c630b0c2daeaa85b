import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import type { Traces } from "@voda/proto/mark";
import {
  callOf,
  createRig,
  me,
  one,
  other,
  type Rig,
  readOf,
  recordOf,
  sixteen,
  stored,
  typesOf,
} from "../../test/lane-rig.ts";
import { wakeAttemptsMax } from "./constants.ts";
import type { TurnEntry } from "./record-turns.ts";
import type { LaneEffect, StoredRecord } from "./types.ts";
import { noRecord } from "./words.ts";

const turn = (first: number): TurnEntry => ({
  key: undefined,
  delta: sixteen(first),
  answer: new Uint8Array(0),
});

const none = { outbox: undefined, seen: [], timers: [], journal: undefined };

/** Records 1 to `count` of this incarnation, each with one turn, at sequences 10, 20, ... */
function laneOf(count: number): StoredRecord[] {
  let prev = noRecord;
  return Array.from({ length: count }, (_, i) => {
    const record = { ...recordOf(me, i + 1, prev), type: "turns" as const, turns: [turn(i + 1)], ...none };
    prev = record.rid;
    return stored(10 * (i + 1), record);
  });
}

const wake = (rig: Rig, last: StoredRecord | undefined): LaneEffect[] =>
  rig.last(rig.invoke(callOf(1)), last);

function assertCorrupt(rig: Rig, effects: readonly LaneEffect[], message: RegExp): void {
  assert.equal(one(effects, "incident").incident, "corrupt");
  assert.match(one(effects, "incident").message, message);
  assert.equal(one(effects, "fail").failure.reason, "corrupt");
  assert.equal(rig.phase, "cold");
}

test("a wake replays the tail in order", () => {
  const rig = createRig();
  const rows = laneOf(3);
  const effects = rig.range(wake(rig, rows[2]), ...rows);
  assert.deepEqual(one(effects, "open").image, {
    pages: [],
    deltas: [sixteen(1), sixteen(2), sixteen(3)],
    isReleased: false,
  });
  assert.equal(one(rig.turned(1), "append").expect, 30);
});

test("a record that fails its checksum is refused, never skipped", () => {
  const rig = createRig();
  const [row] = laneOf(1);
  assert.ok(row !== undefined);
  row.bytes[20] = (row.bytes[20] ?? 0) ^ 1;
  assertCorrupt(rig, wake(rig, row), /record at sequence 10: crc32/);
});

test("a damaged record in the middle of the tail: the session is not served without it", () => {
  const rig = createRig();
  const rows = laneOf(3);
  const [, middle] = rows;
  assert.ok(middle !== undefined);
  middle.bytes[20] = (middle.bytes[20] ?? 0) ^ 1;
  assertCorrupt(rig, rig.range(wake(rig, rows[2]), ...rows), /record at sequence 20: crc32/);
});

test("a gap is read again from the leader, and after five times the lane counts as corrupt", () => {
  const rig = createRig();
  const [first, second, third] = laneOf(3);
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  let reading = rig.invoke(callOf(1));
  for (let attempt = 0; attempt < 5; attempt += 1) {
    assert.equal(one(reading, "readLast").leader, attempt > 0);
    const ranged = rig.last(reading, third);
    assert.equal(one(ranged, "readRange").leader, attempt > 0);
    rig.range(ranged, first, third);
    reading = rig.wait(100, "wake");
  }
  assertCorrupt(rig, rig.range(rig.last(reading, third), first, third), /records are missing/);
});

test("a range that ends before the last record is read again", () => {
  const rig = createRig();
  const [first, second] = laneOf(2);
  assert.ok(first !== undefined && second !== undefined);
  assert.deepEqual(typesOf(rig.range(wake(rig, second), first)), []);
  const effects = rig.range(rig.last(rig.wait(100, "wake"), second), first, second);
  assert.deepEqual(typesOf(effects), ["open", "run"]);
});

test("an empty range is read again, though the last record is the first of all", () => {
  const rig = createRig();
  const first = stored(1, recordOf(me, 1));
  assert.deepEqual(typesOf(rig.range(wake(rig, first))), []);
  assert.deepEqual(typesOf(rig.range(rig.last(rig.wait(100, "wake"), first), first)), ["open", "run"]);
});

test("a record of a lost branch is skipped with an incident, and the next record goes after it", () => {
  const rig = createRig();
  const [first] = laneOf(1);
  assert.ok(first !== undefined);
  const lost = stored(20, recordOf(me, 2, { incarnation: other, counter: 5 }));
  const effects = rig.range(wake(rig, lost), first, lost);
  assert.equal(one(effects, "incident").incident, "void_record");
  assert.deepEqual(one(effects, "open").image.deltas, [sixteen(1)]);
  assert.equal(one(rig.turned(1), "append").expect, 20);
});

test("a lane that belongs to another name is refused", () => {
  const rig = createRig();
  const name = { namespace: "default", agent: "counter", key: "another" };
  const effects = wake(rig, stored(10, { ...recordOf(me, 1), name }));
  assertCorrupt(rig, effects, /belongs to .*another/);
  assert.deepEqual(typesOf(effects), ["incident", "fail", "cold"]);
});

test("pages are read at a wake; a missing one is a reason to look again", () => {
  const rig = createRig();
  const table = [{ name: { epoch: 1, index: 4 }, hash: sixteen(4) }];
  const fold = stored(
    20,
    recordOf(
      me,
      2,
      { incarnation: me, counter: 1001 },
      { type: "fold", inline: undefined, table, covers: 10 },
    ),
  );
  const reading = wake(rig, fold);
  assert.deepEqual(one(reading, "readPages").names, [{ epoch: 1, index: 4, hash: sixteen(4) }]);
  const answer = (effects: readonly LaneEffect[], page: Uint8Array | undefined): LaneEffect[] =>
    rig.feed({ type: "pages", token: one(effects, "readPages").token, pages: [page] });
  assert.deepEqual(typesOf(answer(reading, undefined)), []);
  const again = rig.last(rig.wait(100, "wake"), fold);
  assert.deepEqual(one(answer(again, sixteen(8)), "open").image.pages, [sixteen(8)]);
});

test("a store that does not answer is asked again until nobody waits any more", () => {
  const rig = createRig();
  const reading = rig.invoke(callOf(1));
  assert.deepEqual(typesOf(rig.feed({ type: "store_failed", token: one(reading, "readLast").token })), []);
  assert.deepEqual(typesOf(rig.wait(100, "wake")), ["readLast"]);
  assert.deepEqual(typesOf(rig.feed({ type: "abandon", call: 1, why: "deadline" })), ["fail", "cold"]);
});

test("nothing is read while the connection is down", () => {
  const rig = createRig({ connected: false });
  assert.deepEqual(typesOf(rig.invoke(callOf(1))), []);
  assert.deepEqual(typesOf(rig.feed({ type: "connection", up: true })), ["readLast"]);
});

test("what was asked on a connection that is lost is asked again on the next", () => {
  const rig = createRig();
  const stale = rig.invoke(callOf(1));
  rig.feed({ type: "connection", up: false });
  const asked = rig.feed({ type: "connection", up: true });
  assert.deepEqual(typesOf(asked), ["readLast"]);
  assert.deepEqual(typesOf(rig.last(stale)), []);
  assert.deepEqual(typesOf(rig.empty(asked)), ["open", "run"]);
});

test("a session that its owner released or ended is claimed wherever it is asked for, though that node lives", () => {
  const released = recordOf(other, 2, recordOf(other, 1).rid, { type: "fold", released: true });
  const gone = {
    ...recordOf(other, 2),
    type: "gone" as const,
    born: false,
    answers: [],
    clients: [],
    seen: [],
    timers: [],
  };
  const rows = [stored(7, released), stored(7, gone)];
  for (const last of rows) {
    const rig = createRig();
    const effects = wake(rig, last);
    assert.deepEqual(typesOf(effects), ["open", "run"]);
    assert.equal(one(effects, "open").image.isReleased, last === rows[0]);
  }
});

test("who claims a session that has not folded yet sees to its name: the one before may not have come to it", () => {
  const namedBy = (rig: Rig): readonly boolean[] => {
    const { born, isNamed } = one(rig.accept(rig.turned(1)), "owned");
    return [born, isNamed];
  };
  const young = createRig();
  young.world.standings.set(other, { type: "ended", successor: undefined });
  const first = stored(7, recordOf(other, 1));
  young.range(wake(young, first), first);
  assert.deepEqual(namedBy(young), [false, false]);
  const folded = createRig();
  wake(folded, stored(7, recordOf(other, 2, recordOf(other, 1).rid, { type: "fold", released: true })));
  assert.deepEqual(namedBy(folded), [false, true]);
  assert.deepEqual(namedBy(createRig().held()), [true, false]);
});

test("a record that was written after other bytes than those before it: the session is not served", () => {
  const rig = createRig();
  const [first, second] = laneOf(2);
  assert.ok(first !== undefined && second !== undefined);
  const moved = { ...recordOf(me, 2, recordOf(me, 1).rid), prevHash: sixteen(1) };
  assertCorrupt(rig, rig.range(wake(rig, second), first, stored(20, moved)), /not the one that the next/);
});

test("a call that comes back while the session wakes does not put the wake off", () => {
  const rig = createRig();
  const reading = rig.invoke(callOf(1));
  rig.feed({ type: "undelivered", call: callOf(2), incarnation: other });
  assert.deepEqual(typesOf(rig.empty(reading)), ["open", "run", "run"]);
});

test("the session of another incarnation whose lease lives is not claimed", () => {
  const rig = createRig();
  assert.deepEqual(typesOf(wake(rig, stored(10, recordOf(other, 1)))), ["forward", "cold"]);
  rig.world.standings.set(other, { type: "ended", successor: undefined });
  const row = stored(10, recordOf(other, 1));
  const effects = rig.range(rig.last(rig.invoke(callOf(2)), row), row);
  assert.equal(one(effects, "open").epoch, 2);
});

/** No last record; then what the leader finds of the session. */
const traces = (rig: Rig, effects: readonly LaneEffect[], found: Traces): LaneEffect[] =>
  rig.feed({ type: "traces", token: one(rig.last(effects), "readTraces").token, found });

test("a lane without a last record is empty only when nothing else of the session is there", () => {
  const rig = createRig();
  assert.deepEqual(typesOf(traces(rig, rig.invoke(callOf(1)), "nothing")), ["open", "run"]);
  for (const [found, message] of [
    ["records", /its last record cannot be read, but others can/],
    ["name", /its last record cannot be read, but its name can/],
  ] as const) {
    const damaged = createRig();
    let reading = damaged.invoke(callOf(1));
    for (let attempt = 0; attempt < wakeAttemptsMax; attempt += 1) {
      assert.deepEqual(typesOf(traces(damaged, reading, found)), []);
      reading = damaged.wait(100, "wake");
    }
    assertCorrupt(damaged, traces(damaged, reading, found), message);
  }
});

test("a follower that is behind is not taken for a damaged lane", () => {
  const rig = createRig();
  traces(rig, rig.invoke(callOf(1)), "records");
  const again = rig.wait(100, "wake");
  assert.equal(one(again, "readLast").leader, true);
  const row = stored(1, recordOf(me, 1));
  assert.deepEqual(typesOf(rig.range(rig.last(again, row), row)), ["open", "run"]);
});

test("a claim that comes between the two reads of an empty lane is not taken for damage", () => {
  const rig = createRig();
  const row = stored(1, recordOf(other, 1));
  assert.deepEqual(typesOf(traces(rig, rig.invoke(callOf(1)), "records")), []);
  assert.deepEqual(typesOf(traces(rig, rig.wait(100, "wake"), "records")), []);
  assert.deepEqual(typesOf(rig.last(rig.wait(100, "wake"), row)), ["forward", "cold"]);
});

test("readers of a session that is not born leave nothing, and need no lease", () => {
  const rig = createRig();
  rig.world.valid = false;
  const asked = rig.last(rig.invoke(readOf(1)));
  rig.invoke(readOf(2)); // comes after the proof has begun
  const opened = rig.feed({ type: "traces", token: one(asked, "readTraces").token, found: "nothing" });
  assert.deepEqual(typesOf(opened), ["open", "run"]);
  assert.equal(rig.phase, "unborn");
  const effects = rig.read(1, 0);
  assert.deepEqual(typesOf(effects), ["reply", "close", "cold", "readLast"]);
  assert.equal(one(effects, "reply").call, 1);
  assert.deepEqual(typesOf(rig.empty(effects)), ["open", "run"]);
});

test("a writer and an order that come while an unborn session is read wait for its birth", () => {
  const rig = createRig();
  rig.empty(rig.invoke(readOf(1)));
  assert.deepEqual(typesOf(rig.invoke(callOf(2))), []);
  assert.deepEqual(typesOf(rig.feed({ type: "control", call: callOf(3, { type: "end" }) })), []);
  assert.deepEqual(typesOf(rig.read(1, 0)), ["reply", "close", "cold", "readLast"]);
});

test("a lane of a later version is not served, and not called corrupt", () => {
  const rig = createRig();
  const row = stored(1, recordOf(me, 1));
  const bytes = row.bytes.slice();
  bytes[4] = 3;
  bytes.fill(0, 12, 16);
  new DataView(bytes.buffer).setUint32(12, crc32(bytes), true);
  const effects = rig.last(rig.invoke(callOf(1)), { ...row, bytes });
  assert.equal(one(effects, "incident").incident, "unsupported_format");
  assert.equal(one(effects, "fail").failure.reason, "unsupported_format");
});
