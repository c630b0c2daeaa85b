// What a call whose time is over is told: that it did not begin only where it certainly did not.
import assert from "node:assert/strict";
import { test } from "node:test";
import { callOf, createRig, one, other, type Rig, readOf, recordOf, stored } from "../../test/lane-rig.ts";
import { settleMaxMs } from "./constants.ts";
import type { LaneEffect } from "./types.ts";

const unknown = /whether the call took effect is unknown/;
const notBegun = /it did not begin, and nothing was done/;
const late = (rig: Rig, call: number): string =>
  one(rig.feed({ type: "abandon", call, why: "deadline" }), "fail").failure.message;

/** Another node has written meanwhile: what the memory held is void. */
function fence(rig: Rig): LaneEffect[] {
  const up = rig.feed({ type: "connection", up: true });
  const [own, others] = [rig.tip(), rig.fence()];
  return rig.range(rig.last(up, others), own, others);
}

test("a call is passed on with whether it may have begun", () => {
  for (const hasBegun of [true, false]) {
    const rig = createRig().owner();
    if (hasBegun) rig.invoke(callOf(2));
    rig.feed({ type: "connection", up: false });
    if (!hasBegun) rig.invoke(callOf(2));
    const reading = fence(rig);
    const forward = one(rig.last(reading, stored(3, recordOf(other, 3))), "forward");
    assert.deepEqual([forward.call, forward.mayHaveBegun], [2, hasBegun]);
  }
});

test("what may have begun elsewhere, or what joins it, is never told that it did not begin", () => {
  const rig = createRig({ connected: false });
  rig.invoke(callOf(1, { mayHaveBegun: true }));
  rig.invoke(callOf(2));
  rig.invoke(callOf(3, { id: callOf(2).id, mayHaveBegun: true }));
  rig.invoke(callOf(4));
  assert.match(late(rig, 1), unknown);
  assert.match(late(rig, 3), unknown);
  assert.match(late(rig, 4), notBegun);
});

test("nor is a call whose turn failed and that joins a later one under its key", () => {
  const rig = createRig().owner();
  rig.invoke(readOf(2));
  rig.invoke(callOf(3));
  rig.feed({ type: "connection", up: false });
  rig.failed(3);
  rig.invoke(callOf(4, { id: callOf(3).id }));
  fence(rig);
  rig.feed({ type: "connection", up: false });
  assert.match(late(rig, 3), unknown);
});

test("an order that waits for a wake did not begin; one that waits for its claim may have", () => {
  const order = { type: "control", call: callOf(2, { type: "wake" }) } as const;
  const rig = createRig({ connected: false });
  rig.feed(order);
  assert.match(late(rig, 2), notBegun);
  const holder = createRig().held();
  holder.feed(order);
  assert.match(late(holder, 2), unknown);
});

test("nor is an order to end the session whose tombstone may lie in the lane", () => {
  const rig = createRig().owner();
  one(rig.feed({ type: "control", call: callOf(2, { type: "end" }) }), "append");
  rig.wait(settleMaxMs);
  assert.equal(rig.lane.activation, undefined);
  assert.match(late(rig, 2), unknown);
});
