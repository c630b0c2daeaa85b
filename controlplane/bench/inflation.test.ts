import assert from "node:assert/strict";
import { test } from "node:test";
import { churn } from "./churn.ts";
import { floorPct } from "./floor.ts";
import { inflate } from "./inflation.ts";
import { replay } from "./replay.ts";
import { syntheticNodes, syntheticPods } from "./synthetic-trace.ts";

const nodes = Array.from({ length: 4 }, (_, i) => syntheticNodes().map((spec) => ({ ...spec, id: `${spec.id}/${i}` }))).flat();
const trace = { nodes, pods: syntheticPods() };

test("an inflation run is the same for the same seed, and never allocates more than has arrived", () => {
  const run = inflate(trace, { policy: "bpf", seed: 42, isLearning: true });
  const again = inflate(trace, { policy: "bpf", seed: 42, isLearning: true });
  assert.deepEqual(again.unallocated, run.unallocated);
  for (const [percent, unallocated] of run.unallocated) {
    assert.ok(unallocated >= Math.max(0, 99 - percent) && unallocated <= 100, `${unallocated} % unallocated at ${percent} %`);
  }
});

test("bid-price fit leaves less unallocated than random placing, and nothing goes below the floor", () => {
  const at = (policy: "bpf" | "random"): number =>
    inflate(trace, { policy, seed: 42, isLearning: false }).unallocated.get(120) ?? 100;
  const bpf = at("bpf");
  assert.ok(bpf < at("random"));
  assert.ok(bpf >= floorPct(trace.pods) - 1, "the floor is of the mix, a run is a sample of it");
});

test("the floor counts the rests that no fraction fits", () => {
  const pod = { name: "p", cpuMilli: 1, memoryMib: 1, models: [], createdAt: undefined, deletedAt: undefined };
  assert.equal(Math.round(floorPct([{ ...pod, gpuCount: 1, gpuMilli: 800 }])), 20);
  assert.equal(floorPct([{ ...pod, gpuCount: 1, gpuMilli: 500 }]), 0);
  assert.equal(floorPct([{ ...pod, gpuCount: 8, gpuMilli: 1000 }]), 0);
});

test("churn rejects nothing at a tenth of the load and something at twice the capacity", () => {
  const options = {
    policy: "bpf",
    seed: 1,
    movesMax: 0,
    movable: 0,
    arrivals: 3000,
    warmUp: 1000,
    sample: () => undefined,
  } as const;
  const calm = churn(trace, { ...options, load: 0.1 });
  assert.equal(calm.rejectedDemandPct, 0);
  assert.ok(calm.allocatedPct > 5 && calm.allocatedPct < 15);
  const busy = churn(trace, { ...options, load: 2 });
  assert.ok(busy.rejectedDemandPct > 40 && busy.allocatedPct > 80);
  const moving = churn(trace, { ...options, load: 1, movesMax: 4, movable: 1 });
  assert.ok(moving.rejectedDemandPct <= churn(trace, { ...options, load: 1 }).rejectedDemandPct && moving.movesPer100 > 0);
});

test("a replay lets nobody wait when there is room, and everybody be placed in the end when there is not", () => {
  const timed = trace.pods.slice(0, 1500).map((pod, i) => ({ ...pod, createdAt: i, deletedAt: i + 50 }));
  const recorded = replay({ nodes, pods: timed }, { policy: "bpf", seed: 1, load: undefined });
  assert.deepEqual([recorded.waitSecondsP95, recorded.unplaced], [0, 0]);
  const compressed = replay({ nodes, pods: timed }, { policy: "bpf", seed: 1, load: 1.5 });
  assert.ok(compressed.waitSecondsMean > 0);
  assert.equal(compressed.unplaced, 0);
});
