// NodeService: the nodes as leases and reports tell of them.

import type { ServiceImpl } from "@connectrpc/connect";
import type { NodeService } from "@voda/proto/api";
import { gpuMilliWhole } from "@voda/proto/placement";
import type { Directory, DirectoryNode } from "../directory/directory.ts";
import { type NodeUse } from "../placement/index.ts";

export function nodeService(directory: Directory): ServiceImpl<typeof NodeService> {
  return {
    listNodes: () => ({
      nodes: directory.nodes().flatMap((node) => {
        const use = directory.useOf(node.id);
        return use === undefined ? [] : describe(node, use);
      }),
    }),
  };
}

function describe(node: DirectoryNode, use: NodeUse) {
  return {
    id: node.id,
    ingress: node.ingress,
    incarnation: node.incarnation,
    zone: node.zone,
    ready: use.isReady,
    sessions: use.sessions,
    capacity: {
      cpuMilli: node.cpuMilli,
      memoryMib: node.memoryMib,
      diskMib: node.diskMib,
      gpuMilli: node.gpus.length * gpuMilliWhole,
      gpuMemoryMib: node.gpus.reduce((sum, { memoryMib }) => sum + memoryMib, 0),
    },
    allocated: {
      cpuMilli: use.cpuMilli,
      memoryMib: Math.ceil(use.memoryMib),
      diskMib: use.diskMib,
      gpuMilli: use.devices.reduce((sum, { allocatedMilli }) => sum + allocatedMilli, 0),
      gpuMemoryMib: use.devices.reduce((sum, { allocatedMemoryMib }) => sum + allocatedMemoryMib, 0),
    },
    devices: [...use.devices],
  };
}
