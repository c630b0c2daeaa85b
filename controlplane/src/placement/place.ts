// Where a session goes: feasible nodes, ranked, one plan. Pure: the caller books the plan, and newer state may refuse it.
import { isBetter, type Rank, rank } from "./best-fit.ts";
import { fitGpus, freeMemoryMib, freeMilli, shareOf } from "./gpu.ts";
import { costOf } from "./ledger.ts";
import type {
  Allocation,
  Constraint,
  DeviceShare,
  Gpu,
  NearestMiss,
  NodeSnapshot,
  PlacementRequest,
  Plan,
  Refusal,
  Resources,
  Snapshot,
} from "./resources.ts";

type Miss = Omit<NearestMiss, "node">;
type Fit = { readonly ok: true; readonly devices: readonly DeviceShare[] } | { readonly ok: false; readonly miss: Miss };

export function place(snapshot: Snapshot, request: PlacementRequest): Plan | Refusal {
  const { resources } = request;
  let best: { node: NodeSnapshot; rank: Rank; devices: readonly DeviceShare[] } | undefined;
  for (const node of snapshot.nodes) {
    const fit = fitOn(node, resources);
    if (!fit.ok) continue;
    const its = rank(node, resources, fit.devices);
    const isFirst = best === undefined || isBetter(its, best.rank) || (!isBetter(best.rank, its) && node.id < best.node.id);
    if (isFirst) best = { node, rank: its, devices: fit.devices };
  }
  if (best === undefined) return refuse(snapshot, resources);
  const allocation: Allocation = { ...costOf(resources), devices: best.devices };
  return { kind: "plan", node: best.node.id, allocation };
}

function fitOn(node: NodeSnapshot, resources: Resources): Fit {
  if (!node.ready) return misses("not_ready", 1, 0);
  const cost = costOf(resources);
  const cpu = node.capacity.cpuMilli - node.allocated.cpuMilli;
  if (cost.cpuMilli > 0 && cost.cpuMilli > cpu) return misses("cpu", cost.cpuMilli, cpu);
  const memory = node.capacity.memoryMib - node.allocated.memoryMib;
  if (cost.memoryMib > memory) return misses("memory", cost.memoryMib, memory);
  const devices = fitGpus(node.gpus, resources.gpu);
  return devices === undefined ? { ok: false, miss: gpuMiss(node, resources) } : { ok: true, devices };
}

function misses(constraint: Constraint, wanted: number, free: number): Fit {
  return { ok: false, miss: { constraint, wanted, free } };
}

function gpuMiss({ gpus }: NodeSnapshot, { gpu }: Resources): Miss {
  if (gpu.kind !== "fraction") return wholeMiss(gpus, gpu.kind === "whole" ? gpu : { count: 0, memoryMib: 0 });
  let nearest: Miss = { constraint: "gpu_count", wanted: 1, free: 0 };
  for (const one of gpus) {
    const miss = shareMiss(one, gpu);
    if (lacking(miss) < lacking(nearest)) nearest = miss;
  }
  return nearest;
}

/** Too few empty devices, or enough of them and too small. */
function wholeMiss(gpus: readonly Gpu[], wanted: { readonly count: number; readonly memoryMib: number }): Miss {
  const idle = gpus.filter((one) => one.state.mode === "idle").map((one) => one.device.memoryMib);
  if (idle.length < wanted.count) return { constraint: "gpu_count", wanted: wanted.count, free: idle.length };
  const largest = idle.toSorted((a, b) => b - a);
  return { constraint: "gpu_memory", wanted: wanted.memoryMib, free: largest[wanted.count - 1] ?? 0 };
}

/** What a fraction lacks most on one device. */
function shareMiss(gpu: Gpu, request: { readonly milli: number; readonly memoryMib: number }): Miss {
  const share = shareOf(gpu.device, request);
  const milli: Miss = { constraint: "gpu_milli", wanted: share.milli, free: freeMilli(gpu) };
  const memory: Miss = { constraint: "gpu_memory", wanted: share.memoryMib, free: freeMemoryMib(gpu) };
  return lacking(milli) >= lacking(memory) ? milli : memory;
}

function refuse(snapshot: Snapshot, resources: Resources): Refusal {
  const failed: Record<Constraint, number> = { not_ready: 0, cpu: 0, memory: 0, gpu_count: 0, gpu_milli: 0, gpu_memory: 0 };
  let nearest: NearestMiss | undefined;
  for (const node of snapshot.nodes) {
    const fit = fitOn(node, resources);
    if (fit.ok) continue;
    failed[fit.miss.constraint] += 1;
    if (fit.miss.constraint === "not_ready") continue;
    const miss = { node: node.id, ...fit.miss };
    if (nearest === undefined || isNearer(miss, nearest)) nearest = miss;
  }
  return { kind: "refusal", nodes: snapshot.nodes.length, failed, nearest };
}

function isNearer(a: NearestMiss, b: NearestMiss): boolean {
  const difference = lacking(a) - lacking(b);
  return difference === 0 ? a.node < b.node : difference < 0;
}

/** The missing part of what was wanted: 0 to 1, so that cores compare with MiB. */
function lacking(miss: Miss): number {
  return (miss.wanted - miss.free) / miss.wanted;
}

/** One line for a person: how many nodes failed what, and what came closest. */
export function describeRefusal(refusal: Refusal): string {
  if (refusal.nodes === 0) return "no node is up; start one";
  const counts = Object.entries(refusal.failed)
    .filter(([, count]) => count > 0)
    .map(([constraint, count]) => `${constraint}: ${count}`);
  const { nearest } = refusal;
  const miss =
    nearest === undefined
      ? "no node is ready"
      : `nearest is ${nearest.node}: ${nearest.constraint} wanted ${nearest.wanted}, free ${nearest.free}`;
  return `none of ${refusal.nodes} nodes fits (${counts.join(", ")}); ${miss}`;
}
