// What the rest of a node is worth: the value of its GPUs that its CPU and memory can still serve, summed
// over the kinds of requests that its class of nodes can host. Two tables per class make one value a few
// reads, for any number of kinds.
import { gpuMilliWhole } from "@voda/proto/placement";
import type { Books } from "./books.ts";
import { demandOf, type Wanted } from "./demand.ts";
import { type Classes, canHost, coreMilli, type NodeClass } from "./node-classes.ts";
import type { KindShare } from "./policy.ts";
import { scarcityOf } from "./scarcity.ts";

/** Constants of `bpf`, found by the benches; the defaults are in use. */
export interface Tuning {
  /** Part of its value that a device loses when it is not whole: a rest may never be filled. */
  readonly restDiscount: number;
  /**
   * How far requests for several GPUs weigh what they ask for against what is free: 0 while a pool fills, 1
   * when it is steady.
   */
  readonly setScarcity: number;
  /** Worth of a part of a set of GPUs: 0 counts full sets only. */
  readonly partOfSet: number;
  /** Weight of the GPUs that are expected to be unusable for the next request. */
  readonly fragmentWeight: number;
}

/** What the free room of a node is worth to the mix. */
export interface NodeValue {
  /** Value of a rest of 0..1000 milli of one device. */
  restOf(milli: number): number;
  /**
   * Value of a node with rests worth `rests` together, of which `idle` devices are whole, and this CPU and
   * memory.
   */
  of(nodeClass: number, rests: number, idle: number, cpuMilli: number, memoryMib: number): number;
}

/** What the worth is made from; it is made anew when one of them changes. */
export interface NodeValueInputs {
  readonly mix: readonly KindShare[];
  readonly tuning: Tuning;
  readonly classes: Classes;
}

/** Cores per GPU of value: beyond the end of the axis CPU is not what runs out. */
const coresMax = 64;
const coreSteps = 512;
const memorySteps = 32;
const epsilon = 1e-12;

/** Milliseconds of work for a large pool: made between decisions. */
export function nodeValue(books: Books, { mix, tuning, classes }: NodeValueInputs): NodeValue {
  const { wanted, valueOf } = demandOf(books, mix, tuning.setScarcity);
  const ofRest: Float64Array = valueOf.map((value, rest) =>
    rest < gpuMilliWhole ? value * (1 - tuning.restDiscount) : value,
  );
  const scarcity = scarcityOf(books, wanted, { classes, valueOf, setScarcity: tuning.setScarcity });
  const weighted = wanted.map((one, i) => ({ ...one, weight: one.weight * (scarcity[i] ?? 1) }));
  const singles = classes.classes.map((one) => singlesTable(one, weighted));
  const setStride = Math.max(1, ...classes.classes.map((one) => Math.ceil(one.cpuMilli / coreMilli))) + 1;
  const sets = classes.classes.map((one) =>
    setsTable(one, weighted, { stride: setStride, partOfSet: tuning.partOfSet }),
  );

  const of = (
    nodeClass: number,
    rests: number,
    idle: number,
    cpuMilli: number,
    memoryMib: number,
  ): number => {
    const single = singles[nodeClass] as SinglesTable;
    const set = sets[nodeClass] as SetsTable;
    const cores = cpuMilli / coreMilli;
    const served = Math.min(cores, memoryMib * set.coresPerMib);
    const setValue = idle === 0 ? 0 : (set.values[idle * setStride + (served | 0)] as number);
    return rests <= epsilon ? setValue : rests * read(single, cores / rests, memoryMib / rests) + setValue;
  };
  return { restOf: (milli) => ofRest[milli] as number, of };
}

/**
 * Value per GPU of value, by cores and MiB per GPU of value: the sum of `weight * min(1, x / cores, y /
 * memory)`.
 */
interface SinglesTable {
  readonly values: Float64Array;
  readonly mibPerStep: number;
}

const rowLength = coreSteps + 1;
const coresPerStep = coresMax / coreSteps;

function singlesTable(one: NodeClass, weighted: readonly Wanted[]): SinglesTable {
  const hosted = weighted.filter(({ kind }) => kind.gpuCount === 1 && canHost(one, kind));
  const mibPerStep = Math.max(1, memoryEnd(hosted)) / memorySteps;
  const values = new Float64Array(rowLength * (memorySteps + 1));
  for (let step = 0; step <= memorySteps; step++) {
    const isEnd = step === memorySteps;
    const row = values.subarray(step * rowLength, (step + 1) * rowLength);
    // A kind adds a slope up to the cores that it can use, and what it pays from there on.
    const slopes = new Float64Array(rowLength + 1);
    const flats = new Float64Array(rowLength + 1);
    for (const { weight, cores, memory } of hosted) {
      const most = isEnd || memory === 0 ? 1 : Math.min(1, (step * mibPerStep) / memory);
      const end = Math.min(rowLength, Math.ceil((most * cores) / coresPerStep));
      flats[end] = (flats[end] as number) + weight * most;
      if (end === 0) continue;
      const slope = (weight * coresPerStep) / cores;
      slopes[0] = (slopes[0] as number) + slope;
      slopes[end] = (slopes[end] as number) - slope;
    }
    let slope = 0;
    let flat = 0;
    for (let x = 0; x < rowLength; x++) {
      slope += slopes[x] as number;
      flat += flats[x] as number;
      row[x] = slope * x + flat;
    }
  }
  return { values, mibPerStep };
}

/**
 * Where memory stops to matter for 99 % of the weight: kinds that pay almost nothing would stretch the axis.
 */
function memoryEnd(hosted: readonly { readonly weight: number; readonly memory: number }[]): number {
  const sorted = hosted.toSorted((a, b) => a.memory - b.memory);
  const total = sorted.reduce((sum, one) => sum + one.weight, 0);
  let covered = 0;
  for (const { weight, memory } of sorted) {
    covered += weight;
    if (covered >= 0.99 * total) return memory;
  }
  return 0;
}

/** Between four points of the table; beyond an axis its last point holds. */
function read({ values, mibPerStep }: SinglesTable, cores: number, memory: number): number {
  const x = Math.min(coreSteps, (cores * coreSteps) / coresMax);
  const left = Math.min(coreSteps - 1, x | 0);
  const part = x - left;
  const y = memory / mibPerStep;
  if (y >= memorySteps) return between(values, memorySteps * rowLength + left, part);
  const low = y | 0;
  const below = between(values, low * rowLength + left, part);
  return below + (between(values, (low + 1) * rowLength + left, part) - below) * (y - low);
}

function between(values: Float64Array, i: number, part: number): number {
  const a = values[i] as number;
  return a + ((values[i + 1] as number) - a) * part;
}

/** Value of the sets of GPUs that fit, by idle GPUs and cores: the sum of `weight * count * sets`. */
interface SetsTable {
  readonly values: Float64Array;
  /** Cores that a MiB is as good as for these requests, so that the scarcer of the two decides. */
  readonly coresPerMib: number;
}

function setsTable(
  one: NodeClass,
  weighted: readonly Wanted[],
  { stride, partOfSet }: { readonly stride: number; readonly partOfSet: number },
): SetsTable {
  const values = new Float64Array((one.gpus + 1) * stride);
  let cores = 0;
  let mib = 0;
  for (const { kind, weight } of weighted) {
    if (kind.gpuCount < 2 || !canHost(one, kind)) continue;
    const each = weight * kind.gpuCount;
    cores += weight * kind.cpuMilli;
    mib += weight * kind.memoryMib;
    for (let idle = 1; idle <= one.gpus; idle++) {
      for (let core = 0; core < stride; core++) {
        const byCpu = kind.cpuMilli > 0 ? (core * coreMilli) / kind.cpuMilli : Number.POSITIVE_INFINITY;
        const sets = Math.min(idle / kind.gpuCount, byCpu);
        const full = Math.floor(sets);
        const at = idle * stride + core;
        values[at] = (values[at] as number) + each * (full + partOfSet * (sets - full) ** 3);
      }
    }
  }
  return { values, coresPerMib: mib > 0 ? cores / coreMilli / mib : Number.POSITIVE_INFINITY };
}
