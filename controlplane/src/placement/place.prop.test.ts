import assert from "node:assert/strict";
import { test } from "node:test";
import { type SessionToken, sessionToken } from "@voda/proto/session";
import * as fc from "fast-check";
import { allocate, costOf, emptyNode, release } from "./ledger.ts";
import { place } from "./place.ts";
import type { Allocation, GpuRequest, NodeSnapshot, Resources } from "./resources.ts";

const session: SessionToken = sessionToken({ namespace: "default", agent: "a", key: "k" });
const request = (resources: Resources) => ({ session, namespace: "default", resources });

const gpuAsk: fc.Arbitrary<GpuRequest> = fc.oneof(
  fc.constant<GpuRequest>({ kind: "none" }),
  fc.record({
    kind: fc.constant("whole" as const),
    count: fc.integer({ min: 1, max: 4 }),
    memoryMib: fc.constantFrom(0, 40_000),
  }),
  fc
    .record({
      kind: fc.constant("fraction" as const),
      milli: fc.integer({ min: 0, max: 999 }),
      memoryMib: fc.integer({ min: 0, max: 90_000 }),
    })
    .filter((one) => one.milli + one.memoryMib > 0),
);
const resources: fc.Arbitrary<Resources> = fc.record({
  cpuMilli: fc.constantFrom(0, 0, 100, 1500, 4000),
  memoryMib: fc.constantFrom(0, 0, 64, 3000, 8192),
  gpu: gpuAsk,
});
const nodes: fc.Arbitrary<NodeSnapshot[]> = fc
  .array(
    fc.record({
      cpuMilli: fc.constantFrom(1000, 4000, 16_000),
      memoryMib: fc.constantFrom(1024, 8192),
      cards: fc.array(fc.constantFrom(24_000, 80_000), { maxLength: 4 }),
    }),
    { minLength: 1, maxLength: 5 },
  )
  .map((shapes) =>
    shapes.map(({ cards, ...shape }, n) =>
      emptyNode({ ...shape, id: `n${n}`, gpus: cards.map((memoryMib, i) => ({ uuid: `${n}-${i}`, model: "X", memoryMib })) }),
    ),
  );
/** Place something, or release the i-th that is placed. */
const step = fc.oneof({ weight: 3, arbitrary: resources }, { weight: 1, arbitrary: fc.nat(50) });

interface Placed {
  readonly node: string;
  readonly allocation: Allocation;
}

function checkNode(node: NodeSnapshot, placed: readonly Placed[]): void {
  const here = placed.filter((one) => one.node === node.id).map((one) => one.allocation);
  const sum = (of: (one: Allocation) => number): number => here.reduce((total, one) => total + of(one), 0);
  assert.equal(
    node.allocated.cpuMilli,
    sum((one) => one.cpuMilli),
  );
  assert.equal(
    node.allocated.memoryMib,
    sum((one) => one.memoryMib),
  );
  assert.ok(node.allocated.cpuMilli <= node.capacity.cpuMilli && node.allocated.memoryMib <= node.capacity.memoryMib);
  for (const { device, state } of node.gpus) {
    const shares = here.flatMap((one) => one.devices.filter((share) => share.uuid === device.uuid));
    const whole = shares.filter((share) => share.whole).length;
    if (whole > 0) assert.equal(shares.length, 1, `${device.uuid} is given whole and shared`);
    assert.equal(state.mode, shares.length === 0 ? "idle" : whole > 0 ? "whole" : "shared");
    assert.ok(shares.reduce((total, share) => total + share.milli, 0) <= 1000);
    assert.ok(shares.reduce((total, share) => total + share.memoryMib, 0) <= device.memoryMib);
  }
}

test("no history of placements and releases exceeds a capacity or mixes the modes of a GPU", () => {
  fc.assert(
    fc.property(nodes, fc.array(step, { maxLength: 60 }), (start, steps) => {
      let current = start;
      const placed: Placed[] = [];
      const change = (id: string, to: (node: NodeSnapshot) => NodeSnapshot): void => {
        current = current.map((node) => (node.id === id ? to(node) : node));
      };
      for (const one of steps) {
        if (typeof one === "number") {
          const [gone] = placed.splice(one % Math.max(1, placed.length), 1);
          if (gone !== undefined) change(gone.node, (node) => release(node, gone.allocation));
        } else {
          const plan = place({ nodes: current }, request(one));
          if (plan.kind === "refusal") continue;
          placed.push(plan);
          change(plan.node, (node) => allocate(node, plan.allocation));
        }
        for (const node of current) checkNode(node, placed);
      }
    }),
  );
});

test("a refusal is honest: every node fails one constraint, and CPU or memory is really short there", () => {
  fc.assert(
    fc.property(nodes, resources, fc.array(resources, { maxLength: 20 }), (start, wanted, before) => {
      let current = start;
      for (const one of before) {
        const plan = place({ nodes: current }, request(one));
        if (plan.kind === "plan") current = current.map((n) => (n.id === plan.node ? allocate(n, plan.allocation) : n));
      }
      const refusal = place({ nodes: current }, request(wanted));
      if (refusal.kind === "plan") return;
      const counted = Object.values(refusal.failed).reduce((total, count) => total + count, 0);
      assert.equal(counted, current.length);
      const cost = costOf(wanted);
      const short = current.filter((n) => n.capacity.cpuMilli - n.allocated.cpuMilli < cost.cpuMilli);
      assert.equal(refusal.failed.cpu, cost.cpuMilli === 0 ? 0 : short.length);
      assert.ok(refusal.nearest !== undefined && refusal.nearest.free < refusal.nearest.wanted);
    }),
  );
});

test("a plan does not depend on the order of the nodes", () => {
  fc.assert(
    fc.property(nodes, resources, (start, wanted) => {
      assert.deepEqual(place({ nodes: start.toReversed() }, request(wanted)), place({ nodes: start }, request(wanted)));
    }),
  );
});
