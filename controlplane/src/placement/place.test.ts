import assert from "node:assert/strict";
import { test } from "node:test";
import { type SessionToken, sessionToken } from "@voda/proto/session";
import { allocate, emptyNode } from "./ledger.ts";
import { describeRefusal, place } from "./place.ts";
import type { GpuDevice, NodeSnapshot, PlacementRequest, Resources } from "./resources.ts";
import { gpuRequest } from "./resources.ts";

const session: SessionToken = sessionToken({ namespace: "default", agent: "counter", key: "a" });
const nothing: Resources = { cpuMilli: 0, memoryMib: 0, gpu: { kind: "none" } };
const ask = (resources: Partial<Resources>): PlacementRequest => ({
  session,
  namespace: "default",
  resources: { ...nothing, ...resources },
});
const gpus = (node: string, count: number, memoryMib = 80_000): GpuDevice[] =>
  Array.from({ length: count }, (_, i) => ({ uuid: `${node}-${i}`, model: "H100", memoryMib }));
const node = (id: string, more: { cpuMilli?: number; memoryMib?: number; gpus?: GpuDevice[] } = {}): NodeSnapshot =>
  emptyNode({ id, cpuMilli: 4000, memoryMib: 8192, gpus: [], ...more });

/** Places one request after the other; the ids of the nodes, or the refusal. */
function placeAll(nodes: readonly NodeSnapshot[], requests: readonly PlacementRequest[]): string[] {
  let current = nodes;
  return requests.map((request) => {
    const plan = place({ nodes: current }, request);
    if (plan.kind === "refusal") return "refused";
    current = current.map((one) => (one.id === plan.node ? allocate(one, plan.allocation) : one));
    return plan.node;
  });
}

test("sessions that ask for nothing spread over equal nodes", () => {
  const placed = placeAll([node("a"), node("b"), node("c")], new Array<PlacementRequest>(9).fill(ask({})));
  for (const id of ["a", "b", "c"]) assert.equal(placed.filter((one) => one === id).length, 3);
});

test("sessions that ask for nothing keep away from free GPUs", () => {
  const placed = placeAll([node("a", { gpus: gpus("a", 8) }), node("b")], new Array<PlacementRequest>(6).fill(ask({})));
  assert.deepEqual(new Set(placed), new Set(["b"]));
});

test("a session that names CPU goes to the tightest node that fits", () => {
  const placed = placeAll([node("a"), node("b", { cpuMilli: 1000 })], [ask({ cpuMilli: 500 }), ask({ cpuMilli: 900 })]);
  assert.deepEqual(placed, ["b", "a"]);
});

test("fractions fill a shared GPU before they open an empty one", () => {
  const half = ask({ gpu: { kind: "fraction", milli: 500, memoryMib: 0 } });
  const whole = ask({ gpu: { kind: "whole", count: 1, memoryMib: 0 } });
  const nodes = [node("a", { gpus: gpus("a", 1) }), node("b", { gpus: gpus("b", 1) })];
  assert.deepEqual(placeAll(nodes, [half, half, whole, half]), ["a", "a", "b", "refused"]);
});

test("a fraction without memory takes its part of the card's memory", () => {
  const request = ask({ gpu: { kind: "fraction", milli: 250, memoryMib: 0 } });
  const plan = place({ nodes: [node("a", { gpus: gpus("a", 1) })] }, request);
  assert.equal(plan.kind, "plan");
  assert.deepEqual(plan.allocation.devices, [{ uuid: "a-0", whole: false, milli: 250, memoryMib: 20_000 }]);
});

test("GPU memory alone takes its part of the device's time", () => {
  const request = ask({ gpu: gpuRequest(0, 20_000) });
  const plan = place({ nodes: [node("a", { gpus: gpus("a", 1) })] }, request);
  assert.equal(plan.kind, "plan");
  assert.deepEqual(plan.allocation.devices, [{ uuid: "a-0", whole: false, milli: 250, memoryMib: 20_000 }]);
});

test("a whole GPU is never one that is shared", () => {
  const nodes = [node("a", { gpus: gpus("a", 2) })];
  const small = ask({ gpu: { kind: "fraction", milli: 10, memoryMib: 1 } });
  const two = ask({ gpu: { kind: "whole", count: 2, memoryMib: 0 } });
  assert.deepEqual(placeAll(nodes, [small, two]), ["a", "refused"]);
});

test("whole GPUs may ask for memory that only some devices have", () => {
  const nodes = [node("a", { gpus: [...gpus("a", 1, 24_000), ...gpus("b", 1, 80_000)] })];
  const plan = place({ nodes }, ask({ gpu: { kind: "whole", count: 1, memoryMib: 40_000 } }));
  assert.equal(plan.kind === "plan" ? plan.allocation.devices[0]?.uuid : "", "b-0");
});

test("a refusal counts the nodes per constraint and names the nearest miss", () => {
  const nodes = [
    { ...node("a"), ready: false },
    node("b", { cpuMilli: 1000 }),
    node("c", { cpuMilli: 1800 }),
    node("d", { memoryMib: 10 }),
  ];
  const refusal = place({ nodes }, ask({ cpuMilli: 2000, memoryMib: 100 }));
  assert.deepEqual(refusal, {
    kind: "refusal",
    nodes: 4,
    failed: { not_ready: 1, cpu: 2, memory: 1, gpu_count: 0, gpu_milli: 0, gpu_memory: 0 },
    nearest: { node: "c", constraint: "cpu", wanted: 2000, free: 1800 },
  });
  assert.equal(
    refusal.kind === "refusal" ? describeRefusal(refusal) : "",
    "none of 4 nodes fits (not_ready: 1, cpu: 2, memory: 1); nearest is c: cpu wanted 2000, free 1800",
  );
});

test("a refused fraction names the dimension of the device that lacks", () => {
  const refusal = place({ nodes: [node("a", { gpus: gpus("a", 1) })] }, ask({ gpu: gpuRequest(100, 90_000) }));
  assert.deepEqual(refusal.kind === "refusal" ? refusal.nearest : undefined, {
    node: "a",
    constraint: "gpu_memory",
    wanted: 90_000,
    free: 80_000,
  });
});

test("without nodes the refusal says to start one", () => {
  const refusal = place({ nodes: [] }, ask({}));
  assert.equal(refusal.kind === "refusal" ? describeRefusal(refusal) : "", "no node is up; start one");
});
