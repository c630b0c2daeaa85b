import assert from "node:assert/strict";
import { test } from "node:test";
import { type Instant, LeaseWindow, readWindowMs } from "./window.ts";

const at = (ms: number, wallStepMs = 0): Instant => ({
  monotonicMs: ms,
  wallMs: 1_700_000_000_000 + ms + wallStepMs,
});

test("a lease that was never renewed, or is closed, is not valid", () => {
  const window = new LeaseWindow();
  assert.equal(window.leftMs(at(0)), 0);
  window.renewed(at(0));
  window.close();
  assert.equal(window.leftMs(at(0)), 0);
});

test("the window counts from the sending of the renewal and ends by the clock alone", () => {
  const window = new LeaseWindow();
  window.renewed(at(500));
  assert.equal(window.leftMs(at(600)), readWindowMs - 100);
  assert.equal(window.leftMs(at(500 + readWindowMs)), 0);
});

test("a suspended machine has a late wall clock only, and a stepped-back wall clock prolongs nothing", () => {
  const window = new LeaseWindow();
  window.renewed(at(0));
  assert.equal(window.leftMs(at(10, readWindowMs)), 0);
  assert.equal(window.leftMs(at(readWindowMs, -60_000)), 0);
});
