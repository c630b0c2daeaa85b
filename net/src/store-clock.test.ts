import assert from "node:assert/strict";
import { test } from "node:test";
import { type Reading, readingAgeMsMax, StoreClock, storeErrorMsMax } from "./store-clock.ts";

const epochMs = 1_700_000_000_000;
/** A renewal, sent at a monotonic time; the store takes it after `thereMs`, the answer takes `backMs`. */
const renewal = (sentAtMs: number, thereMs = 1, backMs = thereMs, stepMs = 0): Reading => ({
  sentAtMs,
  ackedAtMs: sentAtMs + thereMs + backMs,
  storedAtMs: epochMs + stepMs + sentAtMs + thereMs,
});
const errorMs = (clock: StoreClock, atMs: number, stepMs = 0): number =>
  Math.abs(clock.storeMs(atMs) - epochMs - stepMs - atMs);

test("nothing is certain before the first reading, and one good reading is enough", () => {
  const clock = new StoreClock();
  assert.equal(clock.isSet, false);
  assert.equal(clock.isSure(0), false);
  assert.throws(() => clock.storeMs(0), /not read yet/);
  assert.equal(clock.read(renewal(100)), undefined);
  assert.equal(clock.isSure(200), true);
  assert.ok(errorMs(clock, 200) <= 1);
});

test("of several readings the one with the shortest round trip counts", () => {
  const clock = new StoreClock();
  clock.read(renewal(0, 300, 0));
  assert.ok(errorMs(clock, 500) > 100);
  clock.read(renewal(1_000, 1));
  clock.read(renewal(2_000, 0, 300));
  assert.ok(errorMs(clock, 2_500) <= 1);
  // a clock that drifts is followed all the same
  for (let i = 1; i <= 8; i += 1) assert.equal(clock.read(renewal(2_000 + i * 1_000, 2, 2, 100)), undefined);
  assert.ok(errorMs(clock, 11_000, 100) <= 1);
});

test("renewals too slow to tell the time are doubted only once the last good one is old", () => {
  const clock = new StoreClock();
  clock.read(renewal(0));
  const slow = (sentAtMs: number): Reading => renewal(sentAtMs, storeErrorMsMax, storeErrorMsMax + 1);
  assert.equal(clock.read(slow(1_000)), undefined);
  assert.ok(clock.isSure(2_000));
  assert.ok(errorMs(clock, 2_000) <= 1);
  assert.deepEqual(clock.read(slow(readingAgeMsMax + 2)), {
    type: "slow",
    roundTripMs: 2 * storeErrorMsMax + 1,
  });
  assert.equal(clock.isSure(readingAgeMsMax + 3), false);
  assert.equal(clock.read(renewal(readingAgeMsMax + 1_000)), undefined);
  assert.ok(clock.isSure(readingAgeMsMax + 1_100));
});

test("a first renewal that is too slow tells a time, but not a certain one", () => {
  const clock = new StoreClock();
  assert.equal(clock.read(renewal(0, 300))?.type, "slow");
  assert.equal(clock.isSet, true);
  assert.equal(clock.isSure(700), false);
  assert.equal(clock.read(renewal(1_000)), undefined);
  assert.ok(clock.isSure(1_100) && errorMs(clock, 1_100) <= 1);
});

for (const stepMs of [660_000, -3_000, -3_600_000]) {
  test(`store time that jumps by ${stepMs} ms is believed when two readings agree on it`, () => {
    const clock = new StoreClock();
    clock.read(renewal(0));
    const doubt = clock.read(renewal(1_000, 1, 1, stepMs));
    assert.equal(doubt?.type, "jumped");
    assert.ok(Math.abs((doubt?.type === "jumped" ? doubt.jumpMs : 0) - stepMs) <= 3);
    assert.equal(clock.isSure(1_100), false);
    assert.ok(errorMs(clock, 1_100) <= 1, "the time goes on until then");
    assert.equal(clock.read(renewal(2_000, 1, 1, stepMs)), undefined);
    assert.ok(clock.isSure(2_100) && errorMs(clock, 2_100, stepMs) <= 1);
  });
}

test("one reading that contradicts all others changes nothing, and two that differ agree on nothing", () => {
  const clock = new StoreClock();
  clock.read(renewal(0));
  clock.read(renewal(1_000, 1, 1, 5_000));
  assert.equal(clock.read(renewal(2_000)), undefined);
  assert.ok(clock.isSure(2_100) && errorMs(clock, 2_100) <= 1);
  assert.equal(clock.read(renewal(3_000, 1, 1, 5_000))?.type, "jumped");
  assert.equal(clock.read(renewal(4_000, 1, 1, 9_000))?.type, "jumped");
  assert.equal(clock.isSure(4_100), false);
  assert.equal(clock.read(renewal(5_000, 1, 1, 9_000)), undefined);
  assert.ok(clock.isSure(5_100) && errorMs(clock, 5_100, 9_000) <= 1);
});

test("readings apart by less than the bound do not contradict each other", () => {
  const clock = new StoreClock();
  clock.read(renewal(0, 1));
  assert.equal(clock.read(renewal(1_000, 1, 1, storeErrorMsMax)), undefined);
  assert.equal(clock.read(renewal(2_000, 1, 1, -storeErrorMsMax)), undefined);
  assert.equal(clock.read(renewal(3_000, 1, 1, storeErrorMsMax + 5))?.type, "jumped");
});
