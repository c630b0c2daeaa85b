import assert from "node:assert/strict";
import { test } from "node:test";
import { createNumbers } from "../call/index.ts";
import { createWorld, type KnownLeases } from "./world.ts";

function rig(more: Partial<KnownLeases> = {}) {
  const at = { monotonicMs: 10 };
  const membership: KnownLeases = {
    incarnation: () => "me",
    storeMs: (monotonicMs) => monotonicMs + 990,
    leaseLeftMs: () => 0,
    ended: () => "no",
    successor: () => undefined,
    wasClosed: () => false,
    prove: () => assert.fail("nothing is to be proved"),
    ...more,
  };
  return {
    at,
    world: createWorld({ monotonicMs: () => at.monotonicMs }, membership, createNumbers()),
  };
}

test("the clocks stand still between two passes, and wall time is the store's", () => {
  const { at, world } = rig();
  world.refresh();
  at.monotonicMs = 20;
  assert.deepEqual([world.storeMs, world.monotonicMs], [1_000, 10]);
  world.refresh();
  assert.deepEqual([world.storeMs, world.monotonicMs], [1_010, 20]);
});

test("the lease is computed at each question, within one pass too", () => {
  let leftMs = 1;
  const { world } = rig({ leaseLeftMs: () => leftMs });
  world.refresh();
  assert.equal(world.leaseValid(), true);
  leftMs = 0;
  assert.equal(world.leaseValid(), false);
});

test("numbers and births are never given out twice", () => {
  const { world } = rig();
  const numbers = Array.from({ length: 100 }, () => world.unique());
  assert.equal(new Set(numbers).size, 100);
  assert.notDeepEqual(world.birth(), world.birth());
  assert.equal(world.birth().length, 16);
});

test("an incarnation of unknown standing counts as living, and one proof at a time is asked for", async () => {
  const proofs: PromiseWithResolvers<boolean>[] = [];
  const prove = (): Promise<boolean> => {
    const proof = Promise.withResolvers<boolean>();
    proofs.push(proof);
    return proof.promise;
  };
  const { world } = rig({ ended: () => "unknown", prove });
  assert.deepEqual(world.standing("x"), { type: "living" });
  world.standing("x");
  assert.equal(proofs.length, 1);
  proofs[0]?.resolve(false);
  await proofs[0]?.promise;
  await new Promise(setImmediate);
  world.standing("x");
  assert.equal(proofs.length, 2);
});

test("an ended incarnation is followed by the life that has its sessions, if there is one", () => {
  const { world } = rig({
    ended: () => "yes",
    successor: () => ({ node: "n", incarnation: "next", ingress: "i" }),
  });
  assert.deepEqual(world.standing("x"), { type: "ended", successor: "next" });
  const { world: alone } = rig({ ended: () => "yes" });
  assert.deepEqual(alone.standing("x"), { type: "ended", successor: undefined });
});
