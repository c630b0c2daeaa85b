// Reads node and pod lists in the format of the openb traces. Every error names the line and the field.

import type { NodeSpec } from "../src/placement/node-spec.ts";
import { amountMax, gpusPerNodeMax, nodesMax } from "../src/placement/node-spec.ts";
import { gpuMilliWhole } from "../src/placement/resources.ts";

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

export class TraceError extends Error {
  override readonly name = "TraceError";
}

const podsMax = 1_000_000;

/** @throws TraceError */
export function parseNodes(csv: string, file: string): readonly NodeSpec[] {
  const nodes = rowsOf(csv, { file, needed: ["sn", "cpu_milli", "memory_mib", "gpu", "model"], rowsMax: nodesMax }).map((row) => {
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
  });
  if (nodes.length === 0) throw new TraceError(`${file}: has a header and no nodes`);
  return nodes;
}

/** @throws TraceError */
export function parsePods(csv: string, file: string): readonly Pod[] {
  const needed = ["name", "cpu_milli", "memory_mib", "num_gpu", "gpu_milli"];
  const pods = rowsOf(csv, { file, needed, rowsMax: podsMax }).map(podOf);
  if (pods.length === 0) throw new TraceError(`${file}: has a header and no pods`);
  return pods;
}

function podOf(row: Row): Pod {
  const gpuCount = row.whole("num_gpu", { least: 0, most: 1024 });
  const gpuMilli = row.whole("gpu_milli", { least: 0, most: gpuMilliWhole });
  if (gpuCount > 0 && gpuMilli === 0) throw row.error("gpu_milli", `is 0 with num_gpu ${gpuCount}`);
  if (gpuCount > 1 && gpuMilli !== gpuMilliWhole) {
    throw row.error("gpu_milli", `is ${gpuMilli} with num_gpu ${gpuCount}: a fraction is of one GPU`);
  }
  const models = row.text("gpu_spec").split("|");
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

interface Row {
  /** Empty when the list has no such column. */
  text(field: string): string;
  whole(field: string, range: { readonly least: number; readonly most: number }): number;
  wholeOrNone(field: string): number | undefined;
  /** A text that is not empty and in no other row. */
  unique(field: string): string;
  error(field: string, problem: string): TraceError;
}

interface RowOptions {
  readonly file: string;
  readonly needed: readonly string[];
  readonly rowsMax: number;
}

function rowsOf(csv: string, { file, needed, rowsMax }: RowOptions): readonly Row[] {
  const lines = csv.replace(/^\uFEFF/, "").split(/\r?\n/);
  while (lines.at(-1) === "") lines.pop();
  const header = (lines[0] ?? "").split(",");
  for (const field of needed) {
    if (!header.includes(field)) throw new TraceError(`${file}: line 1: the column ${field} is missing`);
  }
  if (lines.length - 1 > rowsMax) throw new TraceError(`${file}: ${lines.length - 1} rows exceed the limit of ${rowsMax}`);
  const seen = new Set<string>();
  return lines.slice(1).map((line, i) => {
    const cells = line.split(",");
    if (cells.length !== header.length) {
      throw new TraceError(`${file}: line ${i + 2}: ${cells.length} fields where the header has ${header.length}`);
    }
    return rowOf(new Map(header.map((field, at) => [field, cells[at] ?? ""])), { place: `${file}: line ${i + 2}`, seen });
  });
}

function rowOf(cells: ReadonlyMap<string, string>, { place, seen }: { readonly place: string; readonly seen: Set<string> }): Row {
  const error = (field: string, problem: string): TraceError => new TraceError(`${place}: ${field} ${problem}`);
  const text = (field: string): string => cells.get(field) ?? "";
  const whole = (field: string, { least, most }: { readonly least: number; readonly most: number }): number => {
    const written = text(field);
    const value = /^-?\d{1,15}(\.0+)?$/.test(written) ? Number(written) : Number.NaN;
    if (Number.isNaN(value)) throw error(field, `"${written}" is not a whole number`);
    if (value < least || value > most) throw error(field, `${value} is not from ${least} to ${most}`);
    return value;
  };
  return {
    text,
    whole,
    wholeOrNone: (field) => (text(field) === "" ? undefined : whole(field, { least: 0, most: Number.MAX_SAFE_INTEGER })),
    unique: (field) => {
      const value = text(field);
      if (value === "") throw error(field, "is empty");
      if (seen.has(value)) throw error(field, `"${value}" is in an earlier line too`);
      seen.add(value);
      return value;
    },
    error,
  };
}
