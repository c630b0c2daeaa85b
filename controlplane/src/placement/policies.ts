// The policies by name: `bpf` is the default, the others are references and choices of a pool.
import type { PolicyName } from "@voda/proto/placement";
import { bpf } from "./bid-price-fit.ts";
import { fgd } from "./fgd.ts";
import { gpuClustering } from "./gpu-clustering.ts";
import { gpuPacking } from "./gpu-packing.ts";
import { bestFit, dotProduct, random, spread } from "./greedy.ts";
import type { PolicyOf } from "./policy.ts";

export type { PolicyName };

/** By the name that `--placement-policy` takes. A new policy is one line here, its name, and one file. */
export const policies = {
  bpf,
  fgd,
  bestFit,
  dotProduct,
  gpuPacking,
  gpuClustering,
  random,
  spread,
} as const satisfies Record<PolicyName, PolicyOf>;

/** For names that come from outside. */
export function isPolicyName(name: string): name is PolicyName {
  return Object.hasOwn(policies, name);
}
