import assert from "node:assert/strict";
import { test } from "node:test";
import { Acceptance, returnMsMax } from "./acceptance.ts";
import type { Snapshot } from "./snapshot/snapshot.ts";

const snapshot: Snapshot = { clusters: [], assignments: [], listeners: [], routes: [] };

test("a proxy that left without having answered holds the news for returnMsMax, and no longer", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let isAccepted = false;
  let told = 0;
  const acceptance = new Acceptance(
    () => isAccepted,
    () => (told += 1),
  );
  acceptance.published(snapshot);
  t.mock.timers.tick(10 * returnMsMax);
  assert.equal(told, 0, "it is connected, and does not answer");

  isAccepted = true; // nobody is left who has not accepted
  acceptance.gone();
  t.mock.timers.tick(returnMsMax - 1);
  assert.equal(told, 0, "it may come back");
  acceptance.gone();
  t.mock.timers.tick(1);
  assert.equal(told, 1);

  acceptance.gone();
  t.mock.timers.tick(returnMsMax);
  acceptance.settle();
  assert.equal(told, 1, "each snapshot is told once");
});

test("a snapshot that a newer one has overtaken is not told, and the newer one has its whole time", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const told: Snapshot[] = [];
  const acceptance = new Acceptance(
    () => true,
    (one) => told.push(one),
  );
  const newer = { ...snapshot };
  acceptance.published(snapshot);
  t.mock.timers.tick(returnMsMax - 1);
  acceptance.published(newer);
  t.mock.timers.tick(returnMsMax - 1);
  assert.equal(told.length, 0);
  t.mock.timers.tick(1);
  assert.equal(told.length, 1);
  assert.equal(told[0], newer);
});
