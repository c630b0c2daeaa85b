// What placing and releasing does to a node's snapshot: each returns a new one.
import { fitGpus, giveShare, takeShare } from "./gpu.ts";
import type { Allocation, GpuDevice, NodeSnapshot, Resources } from "./resources.ts";
import { defaultMemoryMib } from "./resources.ts";

export function emptyNode(node: {
  readonly id: string;
  readonly cpuMilli: number;
  readonly memoryMib: number;
  readonly gpus: readonly GpuDevice[];
}): NodeSnapshot {
  return {
    id: node.id,
    ready: true,
    capacity: { cpuMilli: node.cpuMilli, memoryMib: node.memoryMib },
    allocated: { cpuMilli: 0, memoryMib: 0 },
    sessions: 0,
    gpus: node.gpus.map((device) => ({ device, state: { mode: "idle" } })),
  };
}

/** CPU and memory that a session counts for. */
export function costOf(resources: Resources): { readonly cpuMilli: number; readonly memoryMib: number } {
  return { cpuMilli: resources.cpuMilli, memoryMib: resources.memoryMib > 0 ? resources.memoryMib : defaultMemoryMib };
}

/**
 * The allocation of a session that is on the node already, whatever the books say: the node's own admission is the
 * authority, so CPU and memory may go over the capacity here; devices are given only where they fit.
 */
export function allocationOn(node: NodeSnapshot, resources: Resources): Allocation {
  return { ...costOf(resources), devices: fitGpus(node.gpus, resources.gpu) ?? [] };
}

export function allocate(node: NodeSnapshot, allocation: Allocation): NodeSnapshot {
  return book(node, allocation, 1);
}

export function release(node: NodeSnapshot, allocation: Allocation): NodeSnapshot {
  return book(node, allocation, -1);
}

function book(node: NodeSnapshot, allocation: Allocation, sign: 1 | -1): NodeSnapshot {
  const change = sign === 1 ? takeShare : giveShare;
  const { devices } = allocation;
  return {
    ...node,
    allocated: {
      cpuMilli: node.allocated.cpuMilli + sign * allocation.cpuMilli,
      memoryMib: node.allocated.memoryMib + sign * allocation.memoryMib,
    },
    sessions: node.sessions + sign,
    gpus:
      devices.length === 0
        ? node.gpus
        : node.gpus.map((gpu) => {
            const share = devices.find((one) => one.uuid === gpu.device.uuid);
            return share === undefined ? gpu : { device: gpu.device, state: change(gpu, share) };
          }),
  };
}
