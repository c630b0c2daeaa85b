// Policies that need no outlook: best fit, dot product, spread and random. Scores are those of the published
// simulator.
import { gpuMilliWhole } from "@voda/proto/placement";
import type { Books } from "./books.ts";
import type { Kind } from "./kind.ts";
import type { Policy } from "./policy.ts";

/** GPUs of the largest node there was: what scores are normalised by. */
export function largestMilli(books: Books): number {
  return books.largestGpus * gpuMilliWhole;
}

/** Thousandths of GPUs that a kind asks for; whole ones count fully. */
function wantedMilli(kind: Kind): number {
  return kind.gpuCount * kind.gpuMilli;
}

/** What would be left, halves of CPU and GPU: the least wins. */
export function bestFit(books: Books): Policy {
  const cost = (node: number, kind: Kind): number => {
    const cpu = ((books.cpuMilli[node] as number) - kind.cpuMilli) / books.largestCpuMilli;
    const gpu = ((books.gpuMilli[node] as number) - wantedMilli(kind)) / largestMilli(books);
    return -Math.trunc((1 - (cpu / 2 + gpu / 2)) * 100);
  };
  return { name: "bestFit", tie: "first", cost, chosen: { device: -1 } };
}

/** The opposite of best fit: for pools whose sessions should get in each other's way the least. */
export function spread(books: Books): Policy {
  const fit = bestFit(books);
  return { ...fit, name: "spread", cost: (node, kind) => -fit.cost(node, kind) };
}

/** The smallest product of what is free and what is wanted wins, after Tetris. */
export function dotProduct(books: Books): Policy {
  const cost = (node: number, kind: Kind): number => {
    const most = { cpuMilli: books.largestCpuMilli, gpuMilli: largestMilli(books) };
    const cpu = ((books.cpuMilli[node] as number) / most.cpuMilli) * (kind.cpuMilli / most.cpuMilli);
    const gpu = ((books.gpuMilli[node] as number) / most.gpuMilli) * (wantedMilli(kind) / most.gpuMilli);
    return -Math.trunc((1 - (cpu + gpu) / 2) * 100);
  };
  return { name: "dotProduct", tie: "first", cost, chosen: { device: -1 } };
}

/** Any node that fits: what every other policy must beat. */
export function random(): Policy {
  return { name: "random", tie: "any", cost: () => 0, chosen: { device: -1 } };
}
