// NodeService: the nodes as leases and reports tell of them.
import type { ServiceImpl } from "@connectrpc/connect";
import type { NodeService } from "@voda/proto/api";
import type { Directory } from "../directory/directory.ts";
import type { Gpu, NodeSnapshot } from "../placement/index.ts";

export function nodeService(directory: Directory): ServiceImpl<typeof NodeService> {
  return {
    listNodes: () => ({
      nodes: directory.nodes().map(({ node, books }) => ({
        id: node.id,
        ingress: node.ingress,
        incarnation: node.incarnation,
        zone: node.zone,
        ready: books.ready,
        sessions: books.sessions,
        capacity: { ...capacityOf(books), diskMib: node.diskMib },
        allocated: allocatedOf(books),
        devices: books.gpus.map(deviceOf),
      })),
    }),
  };
}

function capacityOf({ capacity, gpus }: NodeSnapshot) {
  return {
    cpuMilli: capacity.cpuMilli,
    memoryMib: capacity.memoryMib,
    gpuMilli: gpus.length * 1000,
    gpuMemoryMib: gpus.reduce((sum, { device }) => sum + device.memoryMib, 0),
  };
}

function deviceOf({ device, state }: Gpu) {
  if (state.mode === "idle") return device;
  if (state.mode === "whole") return { ...device, allocatedMilli: 1000, allocatedMemoryMib: device.memoryMib, sessions: 1 };
  return { ...device, allocatedMilli: state.milli, allocatedMemoryMib: state.memoryMib, sessions: state.sessions };
}

function allocatedOf({ allocated, gpus }: NodeSnapshot) {
  let gpuMilli = 0;
  let gpuMemoryMib = 0;
  for (const { device, state } of gpus) {
    if (state.mode === "idle") continue;
    gpuMilli += state.mode === "whole" ? 1000 : state.milli;
    gpuMemoryMib += state.mode === "whole" ? device.memoryMib : state.memoryMib;
  }
  return { cpuMilli: allocated.cpuMilli, memoryMib: Math.ceil(allocated.memoryMib), gpuMilli, gpuMemoryMib };
}
