// GPUs that are free and of no use: nothing that is deployed fits on them.
import { fitGpus } from "../placement/gpu.ts";
import { costOf, type Gpu, type NodeSnapshot, type Resources, type Snapshot } from "../placement/index.ts";

/** Free thousandths on devices of ready nodes on which none of the wanted kinds of sessions fits now; all of them when none is wanted. */
export function strandedMilli({ nodes }: Snapshot, wanted: readonly Resources[]): number {
  const withGpu = wanted.filter(({ gpu }) => gpu.kind !== "none");
  let stranded = 0;
  for (const node of nodes) {
    if (!node.ready || node.gpus.length === 0) continue;
    const taking = withGpu.filter((resources) => fits(node, resources));
    for (const gpu of node.gpus) if (!taking.some((resources) => isUseful(gpu, resources))) stranded += freeMilli(gpu);
  }
  return stranded;
}

function fits({ capacity, allocated, gpus }: NodeSnapshot, resources: Resources): boolean {
  const { cpuMilli, memoryMib } = costOf(resources);
  const hasRoom = allocated.cpuMilli + cpuMilli <= capacity.cpuMilli && allocated.memoryMib + memoryMib <= capacity.memoryMib;
  return hasRoom && fitGpus(gpus, resources.gpu) !== undefined;
}

/** A node that takes several whole devices takes any of its idle ones that are large enough. */
function isUseful(gpu: Gpu, { gpu: asked }: Resources): boolean {
  return fitGpus([gpu], asked.kind === "whole" ? { ...asked, count: 1 } : asked) !== undefined;
}

function freeMilli({ state }: Gpu): number {
  if (state.mode === "whole") return 0;
  return state.mode === "shared" ? 1000 - state.milli : 1000;
}
