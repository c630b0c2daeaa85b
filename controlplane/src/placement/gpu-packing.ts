// Fills used GPUs before idle ones, and used nodes before idle ones. Scores are those of the published
// simulator.
import { gpuMilliWhole } from "@voda/proto/placement";
import type { Books } from "./books.ts";
import type { Kind } from "./kind.ts";
import type { Policy } from "./policy.ts";

/** Fills devices in use, then idle devices of nodes in use, then idle nodes. */
export function gpuPacking(books: Books): Policy {
  const cost = (node: number, kind: Kind): number => {
    if (kind.gpuCount === 0) return 0;
    const gpus = books.gpus[node] as number;
    if (books.idleGpus[node] === gpus) return -Math.max(33 - gpus, gpus);
    if (!kind.isFraction) return -Math.max(50 - kind.gpuCount, 33);
    const position = books.tightestDevice(node, kind);
    const left = books.deviceMilli[node * books.stride + position] as number;
    if (left === gpuMilliWhole) return -Math.max(50 - 1, 33);
    return -Math.max(100 - Math.trunc(left / 100), 50);
  };
  return { name: "gpuPacking", tie: "first", cost, chosen: { device: -1 } };
}
