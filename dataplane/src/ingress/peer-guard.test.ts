import assert from "node:assert/strict";
import { test } from "node:test";
import { headBytesBurst, headBytesFree, streamResetsBurst, streamResetsPerSecond } from "./limits.ts";
import { Allowance, PeerGuard } from "./peer-guard.ts";

test("an allowance ends with its burst, fills with time, and never beyond the burst", () => {
  const allowance = new Allowance({ burst: 3, perSecond: 2 }, 0);
  assert.deepEqual(
    [1, 2, 3, 4].map(() => allowance.draw(1, 0)),
    [true, true, true, false],
  );
  assert.equal(allowance.draw(1, 500), false);
  assert.equal(allowance.draw(1, 1500), true);
  assert.deepEqual(
    [1, 2, 3, 4].map(() => allowance.draw(1, 1_000_000)),
    [true, true, true, false],
  );
});

test("resets beyond what clients do end a connection, those over a long time do not", () => {
  const guard = new PeerGuard(0);
  for (let i = 0; i < streamResetsBurst; i += 1) assert.ok(guard.allowsReset(0));
  assert.equal(guard.allowsReset(0), false);
  const steady = new PeerGuard(0);
  for (let second = 0; second < 100; second += 1)
    for (let i = 0; i < streamResetsPerSecond; i += 1) assert.ok(steady.allowsReset(second * 1000));
});

test("ordinary heads are free, large ones draw on an allowance", () => {
  const guard = new PeerGuard(0);
  for (let i = 0; i < 10_000; i += 1) assert.ok(guard.allowsHead(headBytesFree, 0));
  assert.ok(guard.allowsHead(headBytesFree + headBytesBurst, 0));
  assert.equal(guard.allowsHead(headBytesFree + 1, 0), false);
});

test("Envoy's connection is not counted", () => {
  const guard = new PeerGuard(0);
  guard.isEdge = true;
  for (let i = 0; i < 2 * streamResetsBurst; i += 1) assert.ok(guard.allowsReset(0));
  assert.ok(guard.allowsHead(2 * headBytesBurst, 0));
});
