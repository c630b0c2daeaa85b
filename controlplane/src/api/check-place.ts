// Whether what an agent takes and where it may go can be kept by any mesh: the SDK's rules again, for other
// clients.

import type { Agent } from "@voda/proto/api";
import {
  cpuMilliMax,
  diskMibMax,
  gpuMilliWhole,
  memoryMibMax,
  rulesProblem,
  wholeGpusMax,
} from "@voda/proto/placement";
import { isolationOf } from "../agents/isolation.ts";

const maxima = {
  cpuMilli: cpuMilliMax,
  memoryMib: memoryMibMax,
  gpuMilli: wholeGpusMax * gpuMilliWhole,
  gpuMemoryMib: memoryMibMax,
  diskMib: diskMibMax,
} as const;

/** What is wrong with resources and placement, or `undefined`. */
export function placeProblem({ resources, placement }: Agent): string | undefined {
  for (const [what, max] of Object.entries(maxima) as [keyof typeof maxima, number][]) {
    const amount = resources?.[what] ?? 0;
    if (amount > max) return `${what} ${amount} exceeds ${max}`;
  }
  const { gpuMilli = 0, gpuMemoryMib = 0 } = resources ?? {};
  if (gpuMilli > gpuMilliWhole && gpuMilli % gpuMilliWhole !== 0)
    return `gpuMilli ${gpuMilli} is neither a fraction of one GPU (below ${gpuMilliWhole}) nor whole GPUs (a multiple of ${gpuMilliWhole})`;
  if (placement === undefined) return undefined;
  const { gpuModels, labels, affinity, antiAffinity, spread } = placement;
  const isolation = isolationOf(placement.isolation);
  if (isolation === undefined)
    return `isolation ${placement.isolation} is none of SHARED, PROCESS, DEDICATED`;
  if (gpuModels.length > 0 && gpuMilli === 0 && gpuMemoryMib === 0)
    return "gpuModels needs gpuMilli or gpuMemoryMib";
  return rulesProblem({ gpuModels, isolation, labels, affinity, antiAffinity, spread });
}
