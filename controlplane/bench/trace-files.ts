// From files and flags to the objects that the benches run on.
import { readFileSync, writeFileSync } from "node:fs";
import type { NodeSpec } from "../src/placement/node-spec.ts";
import { isPolicyName, type PolicyName, policies } from "../src/placement/policies.ts";
import type { PoolRequest } from "../src/placement/request.ts";
import { BenchError, type BenchFlag, type BenchValues, text } from "./bench.ts";
import { type Pod, parseNodes, parsePods } from "./openb.ts";
import { type Chart, plotLines } from "./plot.ts";

export const traceFlags: readonly BenchFlag[] = [
  { name: "nodes", kind: "text", description: "node list (openb CSV)" },
  { name: "pods", kind: "text", description: "pod list (openb CSV)" },
  { name: "policies", kind: "text", description: "with commas between", default: "bpf,fgd,bestFit" },
  { name: "seeds", kind: "text", description: "with commas between; each is one run", default: "42,43,44" },
];

export const plotFlag: BenchFlag = { name: "plot", kind: "text", description: "SVG file to write; empty: none", default: "" };

/** Writes the chart when `--plot` names a file. */
export function writePlot(values: BenchValues, chart: Chart): void {
  const file = text(values, "plot");
  if (file !== "") writeFileSync(file, plotLines(chart));
}

export interface Trace {
  readonly nodes: readonly NodeSpec[];
  readonly pods: readonly Pod[];
}

export function readTrace(values: BenchValues): Trace {
  const nodes = text(values, "nodes");
  const pods = text(values, "pods");
  const trace = { nodes: parseNodes(read(nodes), nodes), pods: parsePods(read(pods), pods) };
  if (trace.nodes.every(({ gpus }) => gpus.length === 0)) throw new BenchError(`${nodes}: no node has a GPU to place on`);
  if (trace.pods.every((pod) => pod.gpuCount === 0)) throw new BenchError(`${pods}: no pod asks for a GPU`);
  return trace;
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new BenchError(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

export function policiesOf(values: BenchValues): readonly PolicyName[] {
  return text(values, "policies")
    .split(",")
    .map((name) => {
      if (!isPolicyName(name)) throw new BenchError(`--policies: "${name}" is none of ${Object.keys(policies).join(", ")}`);
      return name;
    });
}

export function requestOf(pod: Pod, session: string, isMovable = false): PoolRequest {
  const { cpuMilli, memoryMib, gpuCount, gpuMilli, models } = pod;
  const gpu =
    gpuCount === 0
      ? ({ kind: "none" } as const)
      : gpuMilli < 1000
        ? ({ kind: "fraction", milli: gpuMilli, memoryMib: 0 } as const)
        : ({ kind: "whole", count: gpuCount, memoryMib: 0 } as const);
  return { session, namespace: "bench", resources: { cpuMilli, memoryMib, gpu }, models, isMovable };
}

export function demandOf(pod: Pod): number {
  return pod.gpuCount * pod.gpuMilli;
}
