// GPUs that are free and of no use: nothing that is deployed fits on them.
import { sessionToken } from "@voda/proto/session";
import { type Gpu, type NodeSnapshot, place, type Resources, type Snapshot } from "../placement/index.ts";

/** Free thousandths on devices of ready nodes on which none of the wanted kinds of sessions fits now; all of them when none is wanted. */
export function strandedMilli({ nodes }: Snapshot, wanted: readonly Resources[]): number {
  const withGpu = wanted.filter(({ gpu }) => gpu.kind !== "none");
  let stranded = 0;
  for (const node of nodes) {
    if (!node.ready) continue;
    const taking = withGpu.filter((resources) => fits(node, resources));
    for (const gpu of node.gpus) if (!taking.some((resources) => isUseful(node, gpu, resources))) stranded += freeMilli(gpu);
  }
  return stranded;
}

/** Where a session fits does not depend on which it is. */
const anySession = { session: sessionToken({ namespace: "default", agent: "any", key: "any" }), namespace: "default" };

function fits(node: NodeSnapshot, resources: Resources): boolean {
  return place({ nodes: [node] }, { ...anySession, resources }).kind === "plan";
}

/** A node that takes several whole devices takes any of its idle ones that are large enough. */
function isUseful(node: NodeSnapshot, gpu: Gpu, resources: Resources): boolean {
  const one: Resources = resources.gpu.kind === "whole" ? { ...resources, gpu: { ...resources.gpu, count: 1 } } : resources;
  return fits({ ...node, gpus: [gpu] }, one);
}

function freeMilli({ state }: Gpu): number {
  if (state.mode === "whole") return 0;
  return state.mode === "shared" ? 1000 - state.milli : 1000;
}
