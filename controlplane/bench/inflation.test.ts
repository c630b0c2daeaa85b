import assert from "node:assert/strict";
import { test } from "node:test";
import { churn } from "./churn.ts";
import { floorPct } from "./floor.ts";
import { inflate } from "./inflation.ts";
import { replay } from "./replay.ts";
import { syntheticNodes, syntheticPods } from "./synthetic-trace.ts";

const nodes = Array.from({ length: 4 }, (_, i) =>
  syntheticNodes().map((spec) => ({ ...spec, id: `${spec.id}/${i}` })),
).flat();
const trace = { nodes, pods: syntheticPods() };

test("an inflation run is the same for the same seed, and never allocates more than has arrived", () => {
  const run = inflate(trace, { policy: "bpf", seed: 42, isLearning: true });
  const again = inflate(trace, { policy: "bpf", seed: 42, isLearning: true });
  assert.deepEqual(again.unallocated, run.unallocated);
  for (const [percent, unallocated] of run.unallocated) {
    assert.ok(
      unallocated >= Math.max(0, 99 - percent) && unallocated <= 100,
      `${unallocated} % unallocated at ${percent} %`,
    );
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
  const pod = {
    name: "p",
    cpuMilli: 1,
    memoryMib: 1,
    models: [],
    createdAt: undefined,
    deletedAt: undefined,
  };
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
  assert.ok(
    moving.rejectedDemandPct <= churn(trace, { ...options, load: 1 }).rejectedDemandPct &&
      moving.movesPer100 > 0,
  );
});

test("a replay lets nobody wait when there is room, and everybody be placed in the end when there is not", () => {
  const timed = trace.pods.slice(0, 1500).map((pod, i) => ({ ...pod, createdAt: i, deletedAt: i + 50 }));
  const recorded = replay({ nodes, pods: timed }, { policy: "bpf", seed: 1, load: undefined });
  assert.deepEqual([recorded.waitSecondsP95, recorded.unplaced], [0, 0]);
  const compressed = replay({ nodes, pods: timed }, { policy: "bpf", seed: 1, load: 1.5 });
  assert.ok(compressed.waitSecondsMean > 0);
  assert.equal(compressed.unplaced, 0);
});

test("a fill that would take more arrivals than the limit is refused", () => {
  const pods = trace.pods.slice(0, 1).map((pod) => ({ ...pod, gpuCount: 1, gpuMilli: 1 }));
  const many = Array.from({ length: 70 }, (_, i) =>
    nodes.map((spec) => ({ ...spec, id: `${spec.id}/${i}` })),
  ).flat();
  assert.throws(() => inflate({ nodes: many, pods }, { policy: "bpf", seed: 1, isLearning: true }), {
    name: "BenchError",
    message:
      /^the pods ask for 0\.0010 GPUs on average: \d+ arrivals until 130 % exceed arrivalsMax 5000000$/,
  });
});

test("a line of 20,000 that wait for one GPU is served in the order of arrival, a try per kind", () => {
  const [node] = syntheticNodes();
  assert.ok(node !== undefined);
  const one = { ...node, gpus: node.gpus.slice(0, 1) };
  const [pod] = syntheticPods().filter((some) => some.gpuCount === 1 && some.gpuMilli === 1000);
  assert.ok(pod !== undefined);
  const pods = Array.from({ length: 20_000 }, (_, i) => ({
    ...pod,
    name: `p${i}`,
    createdAt: 0,
    deletedAt: 10,
  }));
  const started = process.cpuUsage();
  const run = replay({ nodes: [one], pods }, { policy: "bestFit", seed: 1, load: undefined });
  const { user } = process.cpuUsage(started);
  assert.deepEqual([run.unplaced, run.waitSecondsP50], [0, 100_000]);
  assert.ok(user < 20_000_000, `${user} µs of CPU`);
});
