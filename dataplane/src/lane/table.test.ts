// The table of PROTOCOL.md 4: what each event does in each state of an activation.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  all,
  callOf,
  createRig,
  hash,
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
import { foldBoundsOf } from "./fold.ts";
import type { LaneEffect } from "./types.ts";

/** Another node's record took the place of ours: the store shows it. */
function showFence(rig: Rig, reading: readonly LaneEffect[]): LaneEffect[] {
  const own = rig.activation.tip.expect > 0 ? [rig.tip()] : [];
  const fence = rig.fence();
  return rig.range(rig.last(reading, fence), ...own, fence);
}

/** After a fence: the memory goes, and the calls go to the new owner. */
function assertForwards(rig: Rig, effects: readonly LaneEffect[], calls: readonly number[]): void {
  assert.equal(one(effects, "close").activation > 0, true);
  assert.equal(one(effects, "cold").why, "fenced");
  const forwards = all(rig.last(effects, stored(9, { ...recordOf(other, 9), epoch: 9 })), "forward");
  assert.deepEqual(
    forwards.map(({ call, incarnation }) => [call, incarnation]),
    calls.map((call) => [call, other]),
  );
  assert.equal(rig.phase, "cold");
}

test("invocation, cold: wake", () => {
  const rig = createRig();
  const effects = rig.invoke(callOf(1));
  assert.deepEqual(typesOf(effects), ["readLast"]);
  assert.equal(one(effects, "readLast").leader, false);
  assert.deepEqual(typesOf(rig.empty(effects)), ["open", "run"]);
  assert.equal(rig.phase, "held");
});

test("invocation, held: run; its record is the claim", () => {
  const rig = createRig().held();
  assert.deepEqual(typesOf(rig.invoke(callOf(2))), ["run"]);
  const effects = rig.turned(1);
  assert.equal(one(effects, "append").expect, 0);
  assert.deepEqual(typesOf(rig.accept(effects)), ["owned", "reply"]);
  assert.equal(rig.phase, "owner");
});

test("invocation, owner: run, append when nothing is in flight", () => {
  const rig = createRig().owner();
  assert.deepEqual(typesOf(rig.invoke(callOf(2))), ["run"]);
  rig.invoke(callOf(3));
  rig.invoke(callOf(4));
  const first = rig.turned(2);
  assert.equal(one(first, "append").expect, 1);
  assert.deepEqual(typesOf(rig.turned(3)), []);
  assert.deepEqual(typesOf(rig.turned(4)), []);
  const second = rig.accept(first);
  assert.deepEqual(typesOf(second), ["reply", "append"]);
  assert.deepEqual(
    all(rig.accept(second), "reply").map((reply) => reply.call),
    [3, 4],
  );
});

test("invocation, settling: run into the pipeline", () => {
  const { rig } = createRig().settling();
  assert.deepEqual(typesOf(rig.invoke(callOf(3))), ["run"]);
  assert.deepEqual(typesOf(rig.turned(3)), []);
});

test("invocation, releasing: wait, then wake the session again", () => {
  const { rig, release } = createRig().releasing();
  assert.deepEqual(typesOf(rig.invoke(callOf(2))), []);
  assert.deepEqual(typesOf(rig.accept([release])), ["trimAsleep", "close", "cold", "readLast"]);
});

test("invocation, verifying: wait for the last record", () => {
  const rig = createRig().verifying();
  const effects = rig.invoke(callOf(2));
  assert.deepEqual(typesOf(effects), ["readLast"]);
  assert.equal(one(effects, "readLast").leader, true);
  assert.deepEqual(typesOf(rig.last(effects, rig.tip())), ["run"]);
  assert.equal(rig.phase, "owner");
});

test("readonly, cold and held: a bare claim goes out at once, and the answer waits for it", () => {
  const rig = createRig();
  const own = stored(1, recordOf(me, 1));
  const effects = rig.range(rig.last(rig.invoke(readOf(1)), own), own);
  assert.deepEqual(typesOf(effects), ["open", "run", "append"]);
  assert.deepEqual(typesOf(rig.read(1)), []);
  assert.deepEqual(typesOf(rig.accept(effects)), ["owned", "reply"]);
});

test("readonly, owner: answered without the log", () => {
  const rig = createRig().owner();
  assert.deepEqual(typesOf(rig.invoke(readOf(2))), ["run"]);
  assert.deepEqual(typesOf(rig.read(2)), ["reply"]);
});

test("readonly, owner: an answer waits for every turn that it has seen", () => {
  const rig = createRig().owner();
  rig.invoke(callOf(2));
  const flight = rig.turned(2);
  rig.invoke(readOf(3));
  assert.deepEqual(typesOf(rig.read(3)), []);
  assert.deepEqual(
    all(rig.accept(flight), "reply").map((reply) => reply.call),
    [2, 3],
  );
});

test("the error of a failed turn waits as a readonly answer does, and is not stored", () => {
  const rig = createRig().held();
  const claim = rig.failed(1);
  assert.deepEqual(typesOf(claim), ["append"]);
  assert.deepEqual(typesOf(rig.accept(claim)), ["owned", "reply"]);
  assert.deepEqual(typesOf(rig.invoke(callOf(5, { id: callOf(1).id }))), ["run"]);
});

test("readonly, settling: an answer waits", () => {
  const { rig, flight } = createRig().settling();
  rig.invoke(readOf(3));
  assert.deepEqual(typesOf(rig.read(3)), []);
  assert.deepEqual(typesOf(rig.accept([flight])), ["reply", "reply"]);
});

test("readonly, releasing: nothing is answered from the moment the release is sent", () => {
  const { rig } = createRig().releasing();
  assert.deepEqual(typesOf(rig.invoke(readOf(2))), []);
});

test("readonly, verifying: answered after the read", () => {
  const rig = createRig().verifying();
  const effects = rig.invoke(readOf(2));
  assert.deepEqual(typesOf(rig.last(effects, rig.tip())), ["run"]);
  assert.deepEqual(typesOf(rig.read(2)), ["reply"]);
});

test("append acknowledged, releasing: cold, and the fold before the last allows a trim", () => {
  const rig = createRig({ folds: { ...foldBoundsOf(true), foldRecordsMax: 1 } }).owner();
  // the first record asks for a fold
  rig.accept(rig.cut());
  rig.feed({ type: "sleep" });
  const release = rig.cut();
  const effects = rig.accept(release);
  assert.deepEqual(typesOf(effects), ["trim", "trimAsleep", "close", "cold"]);
  assert.equal(one(effects, "trim").below, 2);
  assert.equal(rig.phase, "cold");
});

test("append refused, held and owner: settle; the record in the lane is ours", () => {
  const rig = createRig().held();
  const flight = one(rig.turned(1), "append");
  const reading = rig.feed({ type: "refused", token: flight.token });
  assert.equal(one(reading, "readLast").leader, true);
  assert.equal(rig.phase, "settling");
  const effects = rig.last(reading, { seq: 4, atMs: 0, bytes: flight.bytes });
  assert.deepEqual(typesOf(effects), ["owned", "reply"]);
});

test("no answer, held: the append is sent again and again, each time that its timer rings", () => {
  const rig = createRig().held();
  let effects = rig.turned(1);
  for (let time = 0; time < 4; time += 1) {
    effects = rig.wait(one(effects, "timer").atMs - rig.world.monotonicMs);
    assert.deepEqual(typesOf(effects), ["append"], `time ${time}`);
  }
});

test("append refused, nothing moved: it decides nothing, the same record is sent again", () => {
  const { rig, flight } = createRig().settling();
  const reading = rig.feed({ type: "refused", token: flight.token });
  assert.deepEqual(typesOf(rig.last(reading, rig.tip())), []);
  assert.deepEqual(one(rig.wait(10), "append"), flight);
});

test("append refused, ours is in the lane and another record after it: answered, then fenced", () => {
  const { rig, flight } = createRig().settling();
  const reading = rig.feed({ type: "refused", token: flight.token });
  const theirs = stored(3, { ...recordOf(other, 3), epoch: 9 });
  const effects = rig.range(rig.last(reading, theirs), rig.tip(), { seq: 2, atMs: 0, bytes: flight.bytes });
  assert.deepEqual(typesOf(effects), ["reply", "close", "cold"]);
});

test("append refused, another record took its place: its calls go to the new owner", () => {
  const { rig, flight } = createRig().settling();
  rig.invoke(readOf(3));
  assertForwards(rig, showFence(rig, rig.feed({ type: "refused", token: flight.token })), [2, 3]);
});

test("append refused, releasing: settle; fenced means cold", () => {
  const { rig, release } = createRig().releasing();
  assert.deepEqual(typesOf(showFence(rig, rig.feed({ type: "refused", token: release.token }))), [
    "close",
    "cold",
  ]);
});

test("no answer in time: the same record again, later and later, until it is given up", () => {
  const rig = createRig().owner();
  rig.invoke(callOf(2));
  const flight = one(rig.turned(2), "append");
  assert.deepEqual(typesOf(rig.wait(1999)), []);
  assert.deepEqual(one(rig.wait(1), "append"), flight);
  assert.deepEqual(typesOf(rig.wait(49)), []);
  assert.deepEqual(one(rig.wait(1), "append"), flight);
  assert.deepEqual(typesOf(rig.wait(99)), []);
  assert.deepEqual(one(rig.wait(1), "append"), flight);
  assert.deepEqual(typesOf(rig.wait(60_000)), ["close", "cold", "readLast"]);
});

test("no answer in time, releasing: send again", () => {
  const { rig, release } = createRig().releasing();
  assert.deepEqual(one(rig.wait(2000), "append"), release);
});

test("fenced, held: the calls go to the owner", () => {
  const rig = createRig().held();
  const flight = one(rig.turned(1), "append");
  assertForwards(rig, showFence(rig, rig.feed({ type: "refused", token: flight.token })), [1]);
});

test("fenced, outcome unknown: a call without an id is not run again, the others are", () => {
  const { rig, flight } = createRig().settling(callOf(2, { id: undefined }));
  rig.invoke(callOf(3));
  const reading = rig.feed({ type: "refused", token: flight.token });
  const late = stored(9, { ...recordOf(other, 9), epoch: 9 });
  const effects = rig.range(rig.last(reading, late), late);
  assert.deepEqual(typesOf(effects), ["fail", "close", "cold", "readLast"]);
  assert.deepEqual(one(effects, "fail").failure.reason, "store_away");
  assert.deepEqual(one(rig.last(effects, late), "forward").call, 3);
});

test("fenced, definitely not committed: a call without an id goes to the new owner too", () => {
  const { rig, flight } = createRig().settling(callOf(2, { id: undefined }));
  assertForwards(rig, showFence(rig, rig.feed({ type: "refused", token: flight.token })), [2]);
});

test("lease not valid, owner: reads wait; renewed in time: as before", () => {
  const rig = createRig().owner();
  rig.world.valid = false;
  rig.invoke(readOf(2));
  assert.deepEqual(typesOf(rig.read(2)), []);
  rig.world.valid = true;
  assert.deepEqual(typesOf(rig.feed({ type: "leases" })), ["reply"]);
});

test("lease ended, owner: held under the new incarnation, and reads wait for the new claim", () => {
  const rig = createRig().owner();
  const { epoch } = rig.activation.tip;
  rig.world.incarnation = other;
  assert.deepEqual(typesOf(rig.invoke(readOf(2))), ["run", "append"]);
  assert.equal(rig.phase, "held");
  assert.equal(rig.activation.tip.epoch, epoch + 1);
  assert.deepEqual(typesOf(rig.read(2)), []);
});

test("lease ended, settling: a record of the old incarnation is committed, but is no claim", () => {
  const { rig, flight } = createRig().settling();
  rig.world.incarnation = other;
  assert.deepEqual(typesOf(rig.accept([flight])), ["reply"]);
  assert.equal(rig.phase, "held");
});

test("reconnect, held: the tip is verified before the claim", () => {
  const rig = createRig().held();
  rig.feed({ type: "connection", up: false });
  assert.deepEqual(typesOf(rig.turned(1)), []);
  const reading = rig.feed({ type: "connection", up: true });
  assert.deepEqual(typesOf(rig.last(reading)), ["append"]);
});

test("reconnect, settling: verify, then send again at once", () => {
  const { rig, flight } = createRig().settling();
  rig.feed({ type: "connection", up: false });
  assert.deepEqual(typesOf(rig.wait(5000)), []);
  const reading = rig.feed({ type: "connection", up: true });
  assert.deepEqual(one(rig.last(reading, rig.tip()), "append"), flight);
});

test("reconnect, releasing: verify, then send again", () => {
  const { rig, release } = createRig().releasing();
  rig.feed({ type: "connection", up: false });
  const reading = rig.feed({ type: "connection", up: true });
  assert.deepEqual(one(rig.last(reading, rig.tip()), "append"), release);
});

test("reconnect, a claim for readers in flight: verify, then send again", () => {
  const rig = createRig();
  const own = stored(1, recordOf(me, 1));
  const claim = rig.range(rig.last(rig.invoke(readOf(1)), own), own);
  rig.read(1);
  rig.feed({ type: "connection", up: false });
  const reading = rig.feed({ type: "connection", up: true });
  assert.deepEqual(one(rig.last(reading, own), "append"), one(claim, "append"));
});

test("reconnect while a fold is made: verify, though nobody waits, and the fold goes on", () => {
  const rig = createRig({ folds: { ...foldBoundsOf(true), foldRecordsMax: 1 } }).owner();
  rig.feed({ type: "connection", up: false });
  const reading = rig.feed({ type: "connection", up: true });
  assert.deepEqual(typesOf(rig.last(reading, rig.tip())), []);
  assert.deepEqual(typesOf(rig.cut()), ["append"]);
});

test("reconnect, verifying: again; an answer to the query before is nothing", () => {
  const rig = createRig().verifying();
  const before = rig.invoke(callOf(2));
  rig.feed({ type: "connection", up: false });
  const reading = rig.feed({ type: "connection", up: true });
  assert.deepEqual(typesOf(reading), ["readLast"]);
  assert.deepEqual(typesOf(rig.last(before, rig.tip())), []);
  assert.deepEqual(typesOf(rig.last(reading, rig.tip())), ["run"]);
});

test("the last record is not ours any more, verifying: fenced", () => {
  const rig = createRig().verifying();
  assertForwards(rig, showFence(rig, rig.invoke(callOf(2))), [2]);
});

test("the last record vanished, verifying: fenced with an incident", () => {
  const rig = createRig().verifying();
  const effects = rig.last(rig.invoke(callOf(2)));
  assert.deepEqual(typesOf(effects), ["incident", "close", "cold", "readLast"]);
  assert.equal(one(effects, "incident").incident, "data_loss");
});

test("the sequence of the last record was given out again, verifying: fenced with an incident", () => {
  const rig = createRig().verifying();
  const reused = stored(1, recordOf(other, 1));
  assert.equal(one(rig.last(rig.invoke(callOf(2)), reused), "incident").incident, "data_loss");
});

test("our last record was replaced and others follow, verifying: fenced with an incident", () => {
  const rig = createRig().verifying();
  const reused = stored(1, recordOf(other, 1));
  const newer = stored(2, recordOf(other, 2, { incarnation: other, counter: 1001 }));
  const effects = rig.range(rig.last(rig.invoke(callOf(2)), newer), reused, newer);
  assert.equal(one(effects, "incident").incident, "data_loss");
});

test("idle, held: the memory is dropped", () => {
  const rig = createRig();
  rig.empty(rig.invoke(callOf(1)));
  rig.feed({ type: "dropped", activation: rig.activation.number, call: 1, why: "caller", hasBegun: true });
  assert.deepEqual(typesOf(rig.feed({ type: "sleep" })), ["close", "cold"]);
});

test("idle, owner: cut, fold with release; a wake then reads one record", () => {
  const rig = createRig().owner();
  assert.deepEqual(typesOf(rig.feed({ type: "sleep" })), ["cut"]);
  const release = rig.cut();
  const asleep = rig.accept(release);
  assert.deepEqual(typesOf(asleep), ["trimAsleep", "close", "cold"]);
  const { below, hash: last, inMs } = one(asleep, "trimAsleep");
  assert.deepEqual([below, last, inMs], [2, hash(one(release, "append").bytes), 0]);
  const effects = rig.last(rig.invoke(callOf(2)), { seq: 2, atMs: 0, bytes: one(release, "append").bytes });
  assert.deepEqual(typesOf(effects), ["open", "run"]);
  assert.equal(one(effects, "open").epoch, 2);
  assert.equal(one(effects, "open").image.pages.length, 1);
});

test("idle, settling: the session sleeps after its append is settled", () => {
  const { rig, flight } = createRig().settling();
  assert.deepEqual(typesOf(rig.feed({ type: "sleep" })), []);
  assert.deepEqual(typesOf(rig.accept([flight])), ["reply", "cut"]);
});

test("idle, verifying: first the verification", () => {
  const rig = createRig().verifying();
  const reading = rig.feed({ type: "sleep" });
  assert.deepEqual(typesOf(reading), ["readLast"]);
  assert.deepEqual(typesOf(rig.last(reading, rig.tip())), ["cut"]);
});

test("a session of this incarnation whose memory was dropped is claimed again, not forwarded", () => {
  const rig = createRig();
  const reading = rig.last(rig.invoke(callOf(1)), stored(1, recordOf(me, 1)));
  assert.deepEqual(typesOf(rig.range(reading, stored(1, recordOf(me, 1)))), ["open", "run"]);
});

const rejected = (rig: Rig, effects: readonly LaneEffect[]): LaneEffect[] =>
  rig.feed({ type: "rejected", token: one(effects, "append").token, why: "no space left" });

test("an append that the store rejects: its callers hear it at once, and the session can still be read", () => {
  const rig = createRig().owner();
  const last = rig.tip();
  rig.invoke(callOf(2));
  rig.invoke(readOf(3));
  const effects = rejected(rig, rig.turned(2));
  assert.deepEqual(typesOf(effects), ["fail", "close", "cold", "readLast"]);
  assert.equal(one(effects, "fail").failure.reason, "store_full");
  assert.deepEqual(typesOf(rig.range(rig.last(effects, last), last)), ["open", "run"]);
  assert.deepEqual(typesOf(rig.read(3, 0)), ["reply"]);
  rig.world.valid = false;
  rig.invoke(readOf(4));
  assert.deepEqual(typesOf(rig.read(4, 0)), []);
});

test("one rejected append after the other: the session can still be read", () => {
  const rig = createRig().owner();
  const last = rig.tip();
  for (let number = 2; number <= 4; number += 1) {
    const effects = rig.invoke(callOf(number));
    if (number > 2) rig.range(rig.last(effects, last), last);
    const { number: activation } = rig.activation;
    const turned = {
      type: "turned",
      activation,
      call: number,
      delta: sixteen(1),
      answer: sixteen(2),
    } as const;
    rejected(rig, rig.feed({ ...turned, turn: number > 2 ? 1 : 2, canonicalHash: undefined, sends: [] }));
  }
  rig.range(rig.last(rig.invoke(readOf(9)), last), last);
  assert.deepEqual(typesOf(rig.read(9, 0)), ["reply"]);
});

test("an append that was sent twice and is then rejected is settled: the first copy may be in the lane", () => {
  const { rig, flight } = createRig().settling();
  assert.deepEqual(typesOf(rig.feed({ type: "rejected", token: flight.token, why: "no space left" })), []);
  assert.equal(rig.phase, "settling");
});

test("an append that is rejected after the connection was lost is settled: what lies in the lane is read", () => {
  const rig = createRig().owner();
  rig.invoke(callOf(2));
  const flight = rig.turned(2);
  rig.feed({ type: "connection", up: false });
  assert.deepEqual(typesOf(rejected(rig, flight)), []);
  const reading = rig.feed({ type: "connection", up: true });
  const again = rig.last(reading, rig.tip());
  assert.deepEqual(typesOf(again), ["append"]);
  assert.deepEqual(one(rig.accept(again), "reply").call, 2);
});

test("a claim that the store rejects fails the readers that wait for it", () => {
  const rig = createRig();
  const own = stored(1, recordOf(me, 1));
  const claim = rig.range(rig.last(rig.invoke(readOf(1)), own), own);
  const effects = rejected(rig, claim);
  assert.deepEqual(typesOf(effects), ["fail", "close", "cold"]);
});

test("the last record cannot be read, verifying: nobody is served, and the calls learn why", () => {
  const rig = createRig().verifying();
  const effects = rig.last(rig.invoke(callOf(2)), { ...rig.tip(), bytes: new Uint8Array(40) });
  assert.deepEqual(typesOf(effects), ["incident", "close", "cold", "fail", "cold"]);
  assert.equal(one(effects, "incident").incident, "corrupt");
  assert.equal(one(effects, "fail").failure.reason, "corrupt");
  assert.equal(rig.phase, "cold");
});

test("our record cannot be read, settling: the session is closed once, as one that cannot be read", () => {
  const { rig, flight } = createRig().settling();
  const [own, fence] = [rig.tip(), rig.fence()];
  const reading = rig.last(rig.feed({ type: "refused", token: flight.token }), fence);
  assert.equal(one(reading, "readRange").leader, true);
  const effects = rig.range(reading, { ...own, bytes: new Uint8Array(40) }, fence);
  assert.deepEqual(typesOf(effects), ["incident", "close", "cold", "fail", "cold"]);
  assert.equal(one(effects, "incident").incident, "corrupt");
  assert.equal(rig.phase, "cold");
});

test("a failed turn is joined by nobody; when it must run again, calls under its id share it", () => {
  const { rig, flight } = createRig().settling();
  rig.invoke(callOf(3));
  assert.deepEqual(typesOf(rig.failed(3)), []); // its error waits for the turn that it has seen
  const [own, fence] = [rig.tip(), rig.fence()];
  const reading = rig.last(rig.feed({ type: "refused", token: flight.token }), fence);
  const waking = rig.range(reading, own, fence);
  rig.invoke(callOf(4, { id: callOf(3).id }));
  // who took the place is gone, and the session comes back
  rig.world.standings.set(other, { type: "ended", successor: undefined });
  const effects = rig.range(rig.last(waking, fence), own, fence);
  assert.deepEqual(
    all(effects, "run").map(({ call }) => call),
    [2, 3],
  );
  assert.deepEqual(
    all(rig.accept(rig.failed(3, 0)), "reply").map(({ call }) => call),
    [3, 4],
  );
  assert.equal(rig.lane.queue.length, 0);
});

test("a session that could still be read is claimed again once the connection was lost", () => {
  const rig = createRig().owner();
  const last = rig.tip();
  rig.invoke(callOf(2));
  rejected(rig, rig.turned(2));
  rig.feed({ type: "connection", up: false });
  rig.feed({ type: "connection", up: true });
  const opened = rig.range(rig.last(rig.invoke(readOf(3)), last), last);
  assert.deepEqual(typesOf(opened), ["open", "run", "append"]);
});

test("answers that wait when the lease ends go out under a new claim", () => {
  const rig = createRig().readable();
  rig.world.valid = false;
  rig.invoke(readOf(4));
  assert.deepEqual(typesOf(rig.read(4, 0)), []);
  rig.world.valid = true;
  rig.world.incarnation = "c".repeat(32);
  const claim = rig.feed({ type: "leases" });
  assert.deepEqual(typesOf(claim), ["append"]);
  assert.deepEqual(typesOf(rig.accept(claim)), ["owned", "reply"]);
});

test("what took the place of a session's first record is looked for from the start of the lane", () => {
  const rig = createRig().held();
  const { token } = one(rig.turned(1), "append");
  const reading = rig.last(rig.feed({ type: "refused", token }), stored(5, recordOf(other, 2)));
  assert.equal(one(reading, "readRange").from, 1);
  const rows = [stored(1, recordOf(other, 1)), stored(5, recordOf(other, 2, recordOf(other, 1).rid))];
  assert.deepEqual(typesOf(rig.range(reading, ...rows)), ["close", "cold", "readLast"]);
});

test("an append that was sent before the connection was lost and is then rejected is settled", () => {
  const rig = createRig().owner();
  rig.invoke(callOf(2));
  rig.turned(2);
  rig.feed({ type: "connection", up: false });
  const again = rig.last(rig.feed({ type: "connection", up: true }), rig.tip());
  assert.deepEqual(typesOf(again), ["append"]);
  assert.deepEqual(typesOf(rejected(rig, again)), []);
});

test("what memory says that was dropped changes nothing in the next", () => {
  const rig = createRig().readable();
  rig.invoke(readOf(4));
  const before = rig.activation.number - 1;
  const read = { type: "read", activation: before, call: 4, after: 0, answer: sixteen(4) } as const;
  assert.deepEqual(typesOf(rig.feed(read)), []);
  assert.deepEqual(typesOf(rig.read(4, 0)), ["reply"]);
});
