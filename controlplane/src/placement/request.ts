// What a pool is asked for, and what is wrong with an asking.
import { gpuMilliWhole, type Isolation, labelsMax } from "@voda/proto/placement";
import { amountProblem } from "./node-spec.ts";
import { type Resources } from "./resources.ts";

/** What one session asks of a pool. */
export interface PoolRequest {
  readonly session: string;
  /** Trust domain: quotas count per namespace, and `process` sessions share devices inside it only. */
  readonly namespace: string;
  readonly resources: Resources;
  readonly diskMib?: number;
  /** GPU models that will do; none means any. */
  readonly models?: readonly string[];
  /** Default: `shared`. */
  readonly isolation?: Isolation;
  /** What others of the namespace may refer to. */
  readonly labels?: readonly string[];
  /** Labels that have to be on the node already; one of the session's own may be there first. */
  readonly affinity?: readonly string[];
  /** Labels that must not be on the node; it holds in both directions. */
  readonly antiAffinity?: readonly string[];
  /** A label whose sessions go to the zone that has the fewest of them and still has room. */
  readonly spreadLabel?: string;
  /** Id of the node where the session's snapshot or image already is. */
  readonly warmNode?: string;
}

/** Whole GPUs of one request; more than any node has is refused as impossible, not as malformed. */
const gpuCountMax = 1024;

/** What is wrong with the request, or `undefined`. */
export function requestProblem(request: PoolRequest): string | undefined {
  const { resources, diskMib = 0 } = request;
  const { gpu } = resources;
  const amounts = { cpuMilli: resources.cpuMilli, memoryMib: resources.memoryMib, diskMib };
  for (const [what, amount] of Object.entries(amounts)) {
    const problem = amountProblem(what, amount);
    if (problem !== undefined) return problem;
  }
  const lists = [request.labels, request.affinity, request.antiAffinity];
  for (const labels of lists) {
    if (labels !== undefined && labels.length > labelsMax)
      return `${labels.length} labels exceed labelsMax ${labelsMax}`;
  }
  if (gpu.type === "none") return undefined;
  const memoryProblem = amountProblem("GPU memoryMib", gpu.memoryMib);
  if (memoryProblem !== undefined) return memoryProblem;
  if (gpu.type === "whole") return rangeProblem("GPU count", gpu.count, { least: 1, most: gpuCountMax });
  if (gpu.milli === 0 && gpu.memoryMib === 0) return "a fraction names neither milli nor memory";
  return rangeProblem("GPU milli", gpu.milli, { least: 0, most: gpuMilliWhole - 1 });
}

function rangeProblem(
  what: string,
  amount: number,
  { least, most }: { least: number; most: number },
): string | undefined {
  const isInside = Number.isInteger(amount) && amount >= least && amount <= most;
  return isInside ? undefined : `${what} ${amount} is not a whole number from ${least} to ${most}`;
}
