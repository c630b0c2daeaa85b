// What the rest of a node is worth: the value of its GPUs that its CPU and memory can still serve, summed over the kinds
// of requests that its class of nodes can host. Two tables per class make one value a few reads, for any number of kinds.
import type { Books } from "./books.ts";
import { type FractionPrices, fractionPrices } from "./fraction-prices.ts";
import type { Kind } from "./kind.ts";
import { CORE_MILLI, canHost, meanCardMib, type NodeClass, sizeOf } from "./node-classes.ts";
import type { KindShare } from "./policy.ts";
import { gpuMilliWhole } from "./resources.ts";

export interface Tuning {
  /** Part of its value that a device loses when it is not whole: a rest may never be filled. */
  readonly restDiscount: number;
  /** Factor on the weight of requests for several GPUs: 1 while a pool fills. */
  readonly setGain: number;
  /** Worth of a part of a set of GPUs: 0 counts full sets only. */
  readonly partOfSet: number;
  /** Weight of the GPUs that are expected to be unusable for the next request. */
  readonly fragmentWeight: number;
}

export interface NodeValue {
  /** Value of a rest of 0..1000 milli of one device. */
  restOf(milli: number): number;
  /** Value of a node with rests worth `rests` together, of which `idle` devices are whole, and this CPU and memory. */
  of(nodeClass: number, rests: number, idle: number, cpuMilli: number, memoryMib: number): number;
}

export interface Inputs {
  readonly mix: readonly KindShare[];
  readonly tuning: Tuning;
  readonly classes: readonly NodeClass[];
}

/** Cores per GPU of value: beyond the end of the axis CPU is not what runs out. */
const CORES_MAX = 64;
const CORE_STEPS = 512;
const MEMORY_STEPS = 32;
/** Nodes that can host a kind are never counted as fewer than this part of all GPUs: its weight stays bounded. */
const HOSTABLE_MIN = 0.002;
const EPSILON = 1e-12;

interface Weighted {
  readonly kind: Kind;
  readonly weight: number;
  /** Cores and MiB per GPU of value. */
  readonly cores: number;
  readonly memory: number;
}

export function nodeValue(books: Books, { mix, tuning, classes }: Inputs): NodeValue {
  const prices = pricesOf(books, mix);
  const ofRest = prices.valueOf.map((value, rest) => (rest < gpuMilliWhole ? value * (1 - tuning.restDiscount) : value));
  const weighted = weigh(books, mix, { prices, tuning });
  const hostable = weighted.map(({ kind }) => hostablePart(kind, classes));
  const singles = classes.map((one) => singlesTable(one, weighted, hostable));
  const setStride = Math.max(1, ...classes.map((one) => Math.ceil(one.cpuMilli / CORE_MILLI))) + 1;
  const sets = classes.map((one) => setsTable(one, weighted, { hostable, stride: setStride, partOfSet: tuning.partOfSet }));

  const of = (nodeClass: number, rests: number, idle: number, cpuMilli: number, memoryMib: number): number => {
    const single = singles[nodeClass] as SinglesTable;
    const set = sets[nodeClass] as SetsTable;
    const cores = cpuMilli / CORE_MILLI;
    const served = Math.min(cores, memoryMib * set.coresPerMib);
    const setValue = idle === 0 ? 0 : (set.values[idle * setStride + (served | 0)] as number);
    return rests <= EPSILON ? setValue : rests * read(single, cores / rests, memoryMib / rests) + setValue;
  };
  return { restOf: (milli) => ofRest[milli] as number, of };
}

function pricesOf(books: Books, mix: readonly KindShare[]): FractionPrices {
  const cardMib = meanCardMib(books);
  const frequencies = new Map<number, number>();
  for (const { kind, share } of mix) {
    const size = sizeOf(kind, cardMib);
    if (size < gpuMilliWhole) frequencies.set(size, (frequencies.get(size) ?? 0) + share);
  }
  return fractionPrices(frequencies);
}

/** Each kind's part of the value that is asked for. Kinds without GPU have none. */
function weigh(
  books: Books,
  mix: readonly KindShare[],
  { prices, tuning }: { readonly prices: FractionPrices; readonly tuning: Tuning },
): readonly Weighted[] {
  const cardMib = meanCardMib(books);
  let singles = 0;
  let sets = 0;
  const priced = mix.flatMap(({ kind, share }) => {
    if (kind.gpuCount === 0) return [];
    const value = kind.isFraction ? prices.priceOf(sizeOf(kind, cardMib)) : kind.gpuCount;
    if (kind.gpuCount === 1) singles += share * value;
    else sets += share * value;
    return [{ kind, share, value }];
  });
  const gain = sets > 0 && singles > 0 ? (partOfSets(sets / singles) * tuning.setGain * singles) / sets : 1;
  const total = singles + gain * sets;
  return priced.map(({ kind, share, value }) => ({
    kind,
    weight: (share * value * (kind.gpuCount > 1 ? gain : 1)) / total,
    cores: kind.cpuMilli / CORE_MILLI / value,
    memory: kind.memoryMib / value,
  }));
}

/**
 * Weight of all requests for several GPUs against all those for one, by their values. Found by experiment: a weight in
 * proportion keeps too many GPUs for sets that are asked for often enough to find their own.
 */
function partOfSets(ratio: number): number {
  return 0.02 + 0.06 * ratio ** 2;
}

function hostablePart(kind: Kind, classes: readonly NodeClass[]): number {
  let total = 0;
  let hostable = 0;
  for (const one of classes) {
    total += one.totalGpus;
    if (canHost(one, kind)) hostable += one.totalGpus;
  }
  return Math.max(HOSTABLE_MIN, total === 0 ? 1 : hostable / total);
}

/** Value per GPU of value, by cores and MiB per GPU of value: the sum of `weight * min(1, x / cores, y / memory)`. */
interface SinglesTable {
  readonly values: Float64Array;
  readonly mibPerStep: number;
}

const ROW = CORE_STEPS + 1;

function singlesTable(one: NodeClass, weighted: readonly Weighted[], hostable: readonly number[]): SinglesTable {
  const hosted = weighted.flatMap(({ kind, weight, cores, memory }, i) =>
    kind.gpuCount === 1 && canHost(one, kind) ? [{ weight: weight / (hostable[i] ?? 1), cores, memory }] : [],
  );
  const mibPerStep = Math.max(1, memoryEnd(hosted)) / MEMORY_STEPS;
  const values = new Float64Array(ROW * (MEMORY_STEPS + 1));
  for (let step = 0; step <= MEMORY_STEPS; step++) {
    const isEnd = step === MEMORY_STEPS;
    const row = values.subarray(step * ROW, (step + 1) * ROW);
    for (const { weight, cores, memory } of hosted) {
      const most = isEnd || memory === 0 ? 1 : Math.min(1, (step * mibPerStep) / memory);
      for (let x = 0; x < ROW; x++) {
        const byCores = cores > 0 ? (x * CORES_MAX) / CORE_STEPS / cores : 1;
        row[x] = (row[x] as number) + weight * Math.min(most, byCores);
      }
    }
  }
  return { values, mibPerStep };
}

/** Where memory stops to matter for 99 % of the weight: kinds that pay almost nothing would stretch the axis. */
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
  const x = Math.min(CORE_STEPS, (cores * CORE_STEPS) / CORES_MAX);
  const left = Math.min(CORE_STEPS - 1, x | 0);
  const part = x - left;
  const y = memory / mibPerStep;
  if (y >= MEMORY_STEPS) return between(values, MEMORY_STEPS * ROW + left, part);
  const low = y | 0;
  const below = between(values, low * ROW + left, part);
  return below + (between(values, (low + 1) * ROW + left, part) - below) * (y - low);
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
  weighted: readonly Weighted[],
  { hostable, stride, partOfSet }: { readonly hostable: readonly number[]; readonly stride: number; readonly partOfSet: number },
): SetsTable {
  const values = new Float64Array((one.gpus + 1) * stride);
  let cores = 0;
  let mib = 0;
  for (const [i, { kind, weight }] of weighted.entries()) {
    if (kind.gpuCount < 2 || !canHost(one, kind)) continue;
    const each = (weight / (hostable[i] ?? 1)) * kind.gpuCount;
    cores += weight * kind.cpuMilli;
    mib += weight * kind.memoryMib;
    for (let idle = 1; idle <= one.gpus; idle++) {
      for (let core = 0; core < stride; core++) {
        const byCpu = kind.cpuMilli > 0 ? (core * CORE_MILLI) / kind.cpuMilli : Number.POSITIVE_INFINITY;
        const sets = Math.min(idle / kind.gpuCount, byCpu);
        const full = Math.floor(sets);
        const at = idle * stride + core;
        values[at] = (values[at] as number) + each * (full + partOfSet * (sets - full) ** 3);
      }
    }
  }
  return { values, coresPerMib: mib > 0 ? cores / CORE_MILLI / mib : Number.POSITIVE_INFINITY };
}
