// Ranks the nodes that fit. The scarce dimension comes first: GPUs, then CPU and memory.
import { freeMilli } from "./gpu.ts";
import { costOf } from "./ledger.ts";
import type { DeviceShare, NodeSnapshot, Resources } from "./resources.ts";
import { gpuMilliWhole } from "./resources.ts";

/** Lower is better; compared from left to right. */
export type Rank = readonly [gpu: number, room: number, sessions: number];

/**
 * 1. GPU: a fraction goes where the least of its device is left, then, like whole GPUs and requests without GPU, where
 *    the least free GPU is left on the node.
 * 2. CPU and memory: a session that names any goes to the tightest node (best fit); one that names none goes to the node
 *    with the most room, so that small sessions spread.
 * 3. Fewest sessions; the caller breaks what is left by the node's id.
 */
export function rank(node: NodeSnapshot, resources: Resources, devices: readonly DeviceShare[]): Rank {
  const room = roomAfter(node, resources);
  const isNamed = resources.cpuMilli > 0 || resources.memoryMib > 0;
  return [gpuLeft(node, devices), isNamed ? room : -room, node.sessions];
}

export function isBetter(a: Rank, b: Rank): boolean {
  if (a[0] !== b[0]) return a[0] < b[0];
  if (a[1] !== b[1]) return a[1] < b[1];
  return a[2] < b[2];
}

/** Sum of the free parts of CPU and memory after the placement: 0 to 2. */
function roomAfter(node: NodeSnapshot, resources: Resources): number {
  const cost = costOf(resources);
  const cpu = (node.capacity.cpuMilli - node.allocated.cpuMilli - cost.cpuMilli) / Math.max(1, node.capacity.cpuMilli);
  const memory = (node.capacity.memoryMib - node.allocated.memoryMib - cost.memoryMib) / Math.max(1, node.capacity.memoryMib);
  return cpu + memory;
}

/** Free GPU milli of the node afterwards; what is left of a shared device weighs more than any number of whole ones. */
function gpuLeft(node: NodeSnapshot, devices: readonly DeviceShare[]): number {
  let left = 0;
  let leftOfShared = 0;
  for (const gpu of node.gpus) {
    const share = devices.find((one) => one.uuid === gpu.device.uuid);
    const free = freeMilli(gpu) - (share?.milli ?? 0);
    left += free;
    if (share !== undefined && !share.whole) leftOfShared = free;
  }
  return leftOfShared * gpuMilliWhole * GPUS_MAX + left;
}

/** More GPUs than any node has, so that the two parts of `gpuLeft` cannot mix. */
const GPUS_MAX = 1024;
