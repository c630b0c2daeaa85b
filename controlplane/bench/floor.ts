// What no policy can go below: fractions do not fill whole GPUs, whatever the order.
import { gpuMilliWhole } from "@voda/proto/placement";
import { pricesOfPieces } from "../src/placement/cutting-stock.ts";
import type { Pod } from "./openb.ts";
import { demandOf } from "./trace-files.ts";

/**
 * Percent of the GPUs that stay unallocated when everything of a prefix is placed and no GPU is left: the
 * bound of the cutting stock program on one dimension. CPU, memory and models can only raise it.
 */
export function floorPct(pods: readonly Pod[]): number {
  const frequencies = new Map<number, number>();
  let demand = 0;
  let wholes = 0;
  for (const pod of pods) {
    demand += demandOf(pod) / gpuMilliWhole;
    if (pod.gpuCount === 1 && pod.gpuMilli < gpuMilliWhole) {
      frequencies.set(pod.gpuMilli, (frequencies.get(pod.gpuMilli) ?? 0) + 1);
    } else wholes += pod.gpuCount;
  }
  const pieces = [...frequencies].map(([size, frequency]) => ({ size, frequency }));
  const prices = pricesOfPieces(pieces, gpuMilliWhole);
  const cut = pieces.reduce((sum, { frequency }, i) => sum + frequency * (prices[i] ?? 0), 0);
  return demand === 0 ? 0 : (1 - demand / (wholes + cut)) * 100;
}
