// Why a pool did not place a request, in terms that a person can act on.
import { gpuMilliWhole } from "@voda/proto/placement";
import { type Books, deviceMode } from "./books.ts";
import { cardMemoryOn, type Kind, milliOn } from "./kind.ts";
import type { LabelMissOn } from "./labels.ts";
import type { QuotaMiss } from "./quota.ts";

/** In the order in which they are looked at. */
const constraints = [
  "not_ready",
  "affinity",
  "anti_affinity",
  "cpu",
  "memory",
  "disk",
  "gpu_model",
  "gpu_count",
  "gpu_mode",
  "gpu_milli",
  "gpu_memory",
] as const;
/** `gpu_mode`: devices have room, and are in use in another sharing mode or by another namespace. */
export type PoolConstraint = (typeof constraints)[number];

/** What the node that came nearest lacked: both numbers, in the unit of the constraint. */
export interface PoolMiss {
  readonly node: string;
  readonly constraint: PoolConstraint;
  readonly wanted: number;
  readonly free: number;
}

/** Why a request has no place. `impossible`: not even on empty nodes; `no_room`: not now. */
export type PoolRefusal =
  | { readonly type: "refusal"; readonly reason: "invalid"; readonly problem: string }
  | {
      readonly type: "refusal";
      readonly reason: "quota";
      readonly namespace: string;
      readonly miss: QuotaMiss;
    }
  | {
      readonly type: "refusal";
      /** `impossible`: no node could take it even empty. */
      readonly reason: "no_room" | "impossible";
      readonly nodes: number;
      readonly failed: Failures;
      readonly nearest: PoolMiss | undefined;
    };

/** How many nodes fail each constraint; a node counts at the first one that it fails. */
export type Failures = Readonly<Record<PoolConstraint, number>>;

/** Of a request that may well have a place. */
export function failuresOf(books: Books, kind: Kind, labelMissOn: LabelMissOn | undefined): Failures {
  return missesOn(books, kind, labelMissOn).failed;
}

/** Looks at every node: the price of saying why is paid only when nothing fits. */
export function refuseFor(books: Books, kind: Kind, labelMissOn: LabelMissOn | undefined): PoolRefusal {
  const { failed, nearest, isPossible } = missesOn(books, kind, labelMissOn);
  return {
    type: "refusal",
    reason: isPossible ? "no_room" : "impossible",
    nodes: books.nodes,
    failed,
    nearest,
  };
}

interface Misses {
  readonly failed: Failures;
  readonly nearest: PoolMiss | undefined;
  readonly isPossible: boolean;
}

/** One pass over the nodes without allocations: a pool that is full refuses often. */
function missesOn(books: Books, kind: Kind, labelMissOn: LabelMissOn | undefined): Misses {
  const failed = Object.fromEntries(constraints.map((one) => [one, 0])) as Record<PoolConstraint, number>;
  const miss: Miss = { constraint: "cpu", wanted: 0, free: 0 };
  let nearest: PoolMiss | undefined;
  let nearestPart = Number.POSITIVE_INFINITY;
  let isPossible = false;
  for (let node = 0; node < books.count; node++) {
    if (books.specs[node] === undefined) continue;
    isPossible ||= couldHost(books, node, kind);
    // Labels before amounts: to free room on a node that may not be used helps nobody.
    const labelMiss = labelMissOn?.(node);
    if (labelMiss !== undefined && books.isReady[node] === 1) set(miss, labelMiss, 1, 0);
    else if (!findMiss(books, node, { kind, miss })) continue;
    failed[miss.constraint] += 1;
    const part = (miss.wanted - miss.free) / miss.wanted;
    if (part >= nearestPart || miss.constraint === "not_ready") continue;
    nearestPart = part;
    nearest = { node: books.idOf(node), ...miss };
  }
  return { failed, nearest, isPossible };
}

/** `wanted` is above `free`; the missing part, 0 to 1, makes cores comparable with MiB. */
interface Miss {
  constraint: PoolConstraint;
  wanted: number;
  free: number;
}

/** Into the one object of the pass; `true` says that there is a miss. */
function set(miss: Miss, constraint: PoolConstraint, wanted: number, free: number): true {
  miss.constraint = constraint;
  miss.wanted = wanted;
  miss.free = free;
  return true;
}

interface Search {
  readonly kind: Kind;
  /** Where the finding goes. */
  readonly miss: Miss;
}

/** Devices last: they are looked at one by one. */
function findMiss(books: Books, node: number, { kind, miss }: Search): boolean {
  if (books.isReady[node] === 0) return set(miss, "not_ready", 1, 0);
  const cpu = books.cpuMilli[node] as number;
  if (cpu < kind.cpuMilli) return set(miss, "cpu", kind.cpuMilli, cpu);
  const memory = books.memoryMib[node] as number;
  if (memory < kind.memoryMib) return set(miss, "memory", kind.memoryMib, memory);
  const disk = books.diskMib[node] as number;
  if (disk < kind.diskMib) return set(miss, "disk", kind.diskMib, disk);
  if (books.fits(node, kind)) return false;
  // `fits` has said no, and amounts are enough: it is the devices, and now it must be said which way.
  let ofModel = 0;
  const first = node * books.stride;
  const gpus = books.gpus[node] as number;
  for (let i = 0; i < gpus; i++) if (books.isModelFor(first + i, kind)) ofModel += 1;
  if (gpus > 0 && ofModel === 0) return set(miss, "gpu_model", 1, 0);
  if (ofModel < kind.gpuCount) return set(miss, "gpu_count", kind.gpuCount, ofModel);
  return kind.isFraction
    ? findFractionMiss(books, node, { kind, miss })
    : findWholeMiss(books, node, { kind, miss });
}

/** Fewer idle devices than asked for, or enough of them and too small a card among them. */
function findWholeMiss(books: Books, node: number, { kind, miss }: Search): true {
  let idle = 0;
  let largest = 0;
  const first = node * books.stride;
  for (let device = first; device < first + (books.gpus[node] as number); device++) {
    if (books.deviceMode[device] !== deviceMode.idle || !books.isModelFor(device, kind)) continue;
    idle += 1;
    const card = books.cardMemoryMib[device] as number;
    if (card < kind.gpuMemoryMib) largest = Math.max(largest, card);
  }
  return idle < kind.gpuCount
    ? set(miss, "gpu_count", kind.gpuCount, idle)
    : set(miss, "gpu_memory", kind.gpuMemoryMib, largest);
}

/** What the device lacks that lacks the least. */
function findFractionMiss(books: Books, node: number, { kind, miss }: Search): true {
  const first = node * books.stride;
  let nearestPart = Number.POSITIVE_INFINITY;
  for (let device = first; device < first + (books.gpus[node] as number); device++) {
    if (!books.isModelFor(device, kind)) continue;
    const card = books.cardMemoryMib[device] as number;
    const milli = Math.min(gpuMilliWhole, milliOn(kind, card));
    const memoryMib = cardMemoryOn(kind, card);
    const freeMilli = books.deviceMilli[device] as number;
    const freeMemory = books.deviceMemoryMib[device] as number;
    const milliPart = (milli - freeMilli) / milli;
    const memoryPart = memoryMib > 0 ? (memoryMib - freeMemory) / memoryMib : 0;
    const part = Math.max(milliPart, memoryPart);
    // Enough of both is free: its mode or its tenant is another.
    if (part <= 0) return set(miss, "gpu_mode", 1, 0);
    if (part >= nearestPart) continue;
    nearestPart = part;
    // The scarcer of the two.
    if (milliPart >= memoryPart) set(miss, "gpu_milli", milli, freeMilli);
    else set(miss, "gpu_memory", memoryMib, freeMemory);
  }
  return true;
}

/** Whether the node could take the request if it were empty. */
export function couldHost(books: Books, node: number, kind: Kind): boolean {
  const spec = books.specs[node];
  if (
    spec === undefined ||
    spec.cpuMilli < kind.cpuMilli ||
    spec.memoryMib < kind.memoryMib ||
    spec.diskMib < kind.diskMib
  ) {
    return false;
  }
  const first = node * books.stride;
  let fitting = 0;
  for (let device = first; device < first + spec.gpus.length; device++) {
    const card = books.cardMemoryMib[device] as number;
    const isLargeEnough =
      kind.gpuMemoryMib <= card && (!kind.isFraction || milliOn(kind, card) <= gpuMilliWhole);
    if (isLargeEnough && books.isModelFor(device, kind)) fitting += 1;
  }
  return fitting >= kind.gpuCount;
}

/** One line for a person: what to change, how many nodes failed what, and what came closest. */
export function describePoolRefusal(refusal: PoolRefusal): string {
  if (refusal.reason === "invalid") return `the request is malformed: ${refusal.problem}`;
  if (refusal.reason === "quota") {
    const { amount, used, wanted, limit } = refusal.miss;
    return `namespace ${refusal.namespace} uses ${used} of its quota of ${limit} ${amount} and asks for ${wanted} more; put sessions to sleep, or raise it with \`voda quota set\``;
  }
  if (refusal.nodes === 0) return "no node is up; start one";
  const counts = Object.entries(refusal.failed)
    .filter(([, count]) => count > 0)
    .map(([constraint, count]) => `${constraint}: ${count}`);
  const { nearest } = refusal;
  const miss =
    nearest === undefined
      ? "no node is ready"
      : `nearest is ${nearest.node}: ${nearest.constraint} wanted ${nearest.wanted}, free ${nearest.free}`;
  const verdict =
    refusal.reason === "impossible"
      ? `none of ${refusal.nodes} nodes could take it even empty`
      : `none of ${refusal.nodes} nodes has room now`;
  return `${verdict} (${counts.join(", ")}); ${miss}`;
}
