// From files and flags to the objects that the benches run on.
import { isUtf8 } from "node:buffer";
import { closeSync, openSync, readSync } from "node:fs";
import { wordsOf } from "@voda/stdx";
import { BenchError, type BenchFlag, type BenchValues, distinct, listOf, text } from "@voda/stdx/bench";
import { modelsMax, type NodeSpec } from "../src/placement/node-spec.ts";
import { isPolicyName, type PolicyName, policies } from "../src/placement/policies.ts";
import type { PoolRequest } from "../src/placement/request.ts";
import { type Pod, parseNodes, parsePods } from "./openb.ts";
import { TraceError } from "./rows.ts";

/** Of all benches that run on a trace. */
export const traceFlags: readonly BenchFlag[] = [
  { name: "nodes", type: "text", description: "node list (openb CSV)" },
  { name: "pods", type: "text", description: "pod list (openb CSV)" },
  { name: "policies", type: "text", description: "with commas between", default: "bpf,fgd,bestFit" },
  { name: "seeds", type: "text", description: "with commas between; each is one run", default: "42,43,44" },
];

/** A cluster, and what is asked of it. */
export interface Trace {
  readonly nodes: readonly NodeSpec[];
  readonly pods: readonly Pod[];
}

/** @throws BenchError, TraceError */
export function readTrace(values: BenchValues): Trace {
  return { nodes: readNodes(text(values, "nodes")), pods: readPods(text(values, "pods")) };
}

/** A list that no GPU can be placed on is refused: every figure would be nothing. @throws TraceError */
export function readNodes(file: string): readonly NodeSpec[] {
  const nodes = parseNodes(readList(file), file);
  if (nodes.every(({ gpus }) => gpus.length === 0))
    throw new TraceError(`${file}: no node has a GPU to place on`);
  const models = new Set(nodes.flatMap(({ gpus }) => gpus.map(({ model }) => model)));
  if (models.size > modelsMax)
    throw new TraceError(`${file}: ${models.size} GPU models exceed modelsMax ${modelsMax}`);
  return nodes;
}

/** @throws TraceError, also when no pod asks for a GPU */
export function readPods(file: string): readonly Pod[] {
  const pods = parsePods(readList(file), file);
  if (pods.every((pod) => pod.gpuCount === 0)) throw new TraceError(`${file}: no pod asks for a GPU`);
  return pods;
}

/** A list is held in memory as a whole. */
const listBytesMax = 256 * 1024 * 1024;
const pieceBytes = 1024 * 1024;
const newLine = 10;

/** By pieces, as a device or a pipe does not tell its length. */
function readList(file: string): string {
  const pieces: Buffer[] = [];
  let bytes = 0;
  try {
    using open = opened(file);
    for (;;) {
      const piece = Buffer.alloc(pieceBytes);
      const read = readSync(open.descriptor, piece);
      if (read === 0) break;
      pieces.push(piece.subarray(0, read));
      bytes += read;
      if (bytes > listBytesMax) break;
    }
  } catch (error) {
    throw new BenchError(`${file} cannot be read: ${wordsOf(error)}`);
  }
  if (bytes > listBytesMax) throw new TraceError(`${file}: is longer than listBytesMax ${listBytesMax}`);
  const all = Buffer.concat(pieces);
  if (!isUtf8(all)) throw new TraceError(`${file}: line ${firstLineOfOtherText(all)}: is not UTF-8 text`);
  return all.toString("utf8");
}

function opened(file: string): Disposable & { readonly descriptor: number } {
  const descriptor = openSync(file, "r");
  return { descriptor, [Symbol.dispose]: () => closeSync(descriptor) };
}

/** People look for the line, not for the byte. */
function firstLineOfOtherText(all: Buffer): number {
  for (let line = 1, from = 0; ; line++) {
    const end = all.indexOf(newLine, from);
    if (end === -1 || !isUtf8(all.subarray(from, end))) return line;
    from = end + 1;
  }
}

/** Once each: two runs of one policy would stand under one name. @throws BenchError */
export function policiesOf(values: BenchValues): readonly PolicyName[] {
  const named = listOf(values, "policies").map((name) => {
    if (!isPolicyName(name))
      throw new BenchError(`--policies: "${name}" is none of ${Object.keys(policies).join(", ")}`);
    return name;
  });
  return distinct(named, "policies");
}

/** Asks for no memory of GPUs, which pod lists do not have. */
export function requestOf(pod: Pod, session: string): PoolRequest {
  const { cpuMilli, memoryMib, gpuCount, gpuMilli, models } = pod;
  const gpu =
    gpuCount === 0
      ? ({ type: "none" } as const)
      : gpuMilli < 1000
        ? ({ type: "fraction", milli: gpuMilli, memoryMib: 0 } as const)
        : ({ type: "whole", count: gpuCount, memoryMib: 0 } as const);
  return { session, namespace: "bench", resources: { cpuMilli, memoryMib, gpu }, models };
}

/** In GPU milli: eight whole GPUs are 8,000. */
export function demandOf(pod: Pod): number {
  return pod.gpuCount * pod.gpuMilli;
}
