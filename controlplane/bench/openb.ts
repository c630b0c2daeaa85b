// Reads node and pod lists in the format of the openb traces. Every error names the line and the field.

import { gpuMilliWhole, gpusPerNodeMax } from "@voda/proto/placement";
import type { NodeSpec } from "../src/placement/node-spec.ts";
import { amountMax, nodesMax } from "../src/placement/node-spec.ts";
import { type CsvRow, readRows, TraceError } from "./rows.ts";

/** One row of a pod list. Times are in seconds. */
export interface Pod {
  readonly name: string;
  readonly cpuMilli: number;
  readonly memoryMib: number;
  /** 0: no GPU. */
  readonly gpuCount: number;
  /** Of each GPU: 1000 when it is whole; 0 without GPU. */
  readonly gpuMilli: number;
  readonly models: readonly string[];
  /** Seconds since the start of the trace; absent in the lists that have no times. */
  readonly createdAt: number | undefined;
  readonly deletedAt: number | undefined;
}

/** The openb lists have 7,336 to 10,094. */
const podsMax = 1_000_000;

/** @throws TraceError */
export function parseNodes(csv: string, file: string): readonly NodeSpec[] {
  const needed = ["sn", "cpu_milli", "memory_mib", "gpu", "model"];
  const nodes = readRows(csv, { file, needed, rowsMax: nodesMax }, nodeOf);
  if (nodes.length === 0) throw new TraceError(`${file}: has a header and no nodes`);
  return nodes;
}

/** @throws TraceError */
export function parsePods(csv: string, file: string): readonly Pod[] {
  const needed = ["name", "cpu_milli", "memory_mib", "num_gpu", "gpu_milli"];
  const pods = readRows(csv, { file, needed, rowsMax: podsMax }, podOf);
  if (pods.length === 0) throw new TraceError(`${file}: has a header and no pods`);
  return pods;
}

function nodeOf(row: CsvRow): NodeSpec {
  const count = row.whole("gpu", { least: 0, most: gpusPerNodeMax });
  const model = row.text("model");
  if (count > 0 && model === "") throw row.error("model", "is empty on a node with GPUs");
  const id = row.unique("sn");
  return {
    id,
    zone: "",
    cpuMilli: row.whole("cpu_milli", { least: 1, most: amountMax }),
    memoryMib: row.whole("memory_mib", { least: 1, most: amountMax }),
    diskMib: 0,
    gpus: Array.from({ length: count }, (_, i) => ({ uuid: `${id}-${i}`, model, memoryMib: 0 })),
  };
}

/** A `gpu_milli` without a GPU says nothing: the openb lists with more multi-GPU pods are written so. */
function podOf(row: CsvRow): Pod {
  const gpuCount = row.whole("num_gpu", { least: 0, most: 1024 });
  const gpuMilli = row.whole("gpu_milli", { least: 0, most: gpuMilliWhole });
  if (gpuCount > 0 && gpuMilli === 0) throw row.error("gpu_milli", `is 0 with num_gpu ${gpuCount}`);
  if (gpuCount > 1 && gpuMilli !== gpuMilliWhole) {
    throw row.error("gpu_milli", `is ${gpuMilli} with num_gpu ${gpuCount}: a fraction is of one GPU`);
  }
  const models = row
    .text("gpu_spec")
    .split("|")
    .map((model) => model.trim());
  const createdAt = row.wholeOrNone("creation_time");
  const deletedAt = row.wholeOrNone("deletion_time");
  if (createdAt !== undefined && deletedAt !== undefined && deletedAt < createdAt) {
    throw row.error("deletion_time", `${deletedAt} is before creation_time ${createdAt}`);
  }
  return {
    name: row.unique("name"),
    cpuMilli: row.whole("cpu_milli", { least: 0, most: amountMax }),
    memoryMib: row.whole("memory_mib", { least: 0, most: amountMax }),
    gpuCount,
    gpuMilli: gpuCount === 0 ? 0 : gpuMilli,
    models: gpuCount === 0 ? [] : models.filter((model) => model !== ""),
    createdAt,
    deletedAt,
  };
}
