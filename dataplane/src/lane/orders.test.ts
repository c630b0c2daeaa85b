import assert from "node:assert/strict";
import { test } from "node:test";
import type { HashedPage } from "@voda/proto/wire";
import { callOf, createRig, one, sixteen, typesOf } from "../../test/lane-rig.ts";
import { resendMinMs } from "./constants.ts";
import { foldBoundsOf } from "./fold.ts";

const folds = { ...foldBoundsOf(true), foldRecordsMax: 2, inlineBytesMax: 1000 };
const large = (first: number): HashedPage => ({
  hash: sixteen(first),
  bytes: new Uint8Array(900).fill(first),
});

test("a session that ends takes the pages of its folds with it", () => {
  const rig = createRig({ folds }).owner();
  rig.invoke(callOf(2));
  rig.accept(rig.turned(2));
  const { number } = rig.activation;
  const cut = rig.feed({ type: "cut", activation: number, after: 2, pages: [large(1), large(2)] });
  rig.accept(rig.feed({ type: "pages_written", token: one(cut, "writePages").token }));
  const ended = rig.accept(rig.feed({ type: "control", call: callOf(3, { type: "end" }) }));
  assert.deepEqual(one(ended, "deletePages").names, [
    { epoch: 1, index: 0 },
    { epoch: 1, index: 1 },
  ]);
});

test("an order to wake a session that is falling asleep is for its next life", () => {
  const rig = createRig().owner();
  rig.feed({ type: "sleep" });
  assert.deepEqual(typesOf(rig.feed({ type: "control", call: callOf(2, { type: "wake" }) })), []);
  const release = rig.cut();
  const slept = rig.accept(release);
  const fold = { seq: 2, atMs: 0, bytes: one(release, "append").bytes };
  const woken = rig.last(slept, fold);
  assert.equal(one(rig.accept(woken), "done").call, 2);
});

test("an end that its caller leaves is carried out if it was taken, and its caller is told so", () => {
  for (const [why, reason] of [
    ["caller", "interrupted"],
    ["deadline", "turn_timeout"],
  ] as const) {
    const rig = createRig().owner();
    rig.invoke(callOf(2));
    rig.feed({ type: "control", call: callOf(3, { type: "end" }) });
    const { failure } = one(rig.feed({ type: "abandon", call: 3, why }), "fail");
    assert.equal(failure.reason, reason);
    assert.match(failure.message, /may still be deleted/);
    assert.equal(one(rig.turned(2), "append").gone, false);
  }
});

test("what the store could not answer is asked again, but not at once", () => {
  const rig = createRig().verifying();
  const asked = one(rig.invoke(callOf(2)), "readLast");
  assert.deepEqual(typesOf(rig.feed({ type: "store_failed", token: asked.token })), []);
  assert.deepEqual(typesOf(rig.wait(resendMinMs - 1)), []);
  assert.deepEqual(typesOf(rig.wait(1)), ["readLast"]);
});
