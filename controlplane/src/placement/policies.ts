// The policies by name: `bpf` is the default, the others are references and choices of a pool.
import { bpf } from "./bid-price-fit.ts";
import { fgd } from "./fgd.ts";
import { gpuClustering } from "./gpu-clustering.ts";
import { gpuPacking } from "./gpu-packing.ts";
import { bestFit, dotProduct, random, spread } from "./greedy.ts";
import type { PolicyOf } from "./policy.ts";

export const policies = {
  bpf,
  fgd,
  bestFit,
  dotProduct,
  gpuPacking,
  gpuClustering,
  random,
  spread,
} as const satisfies Record<string, PolicyOf>;
export type PolicyName = keyof typeof policies;

export function isPolicyName(name: string): name is PolicyName {
  return Object.hasOwn(policies, name);
}
