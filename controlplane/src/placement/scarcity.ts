// How scarce the room for a kind of request is: the smaller the part of all room that can serve it, the more
// that is worth. A pool is worth the sum of `demand * log(room)` over the kinds, and the slope of that,
// `demand / room`, weighs a kind.
import type { Books } from "./books.ts";
import type { Wanted } from "./demand.ts";
import { type Classes, canHost, coreMilli } from "./node-classes.ts";

/**
 * Part of the GPUs that counts as free even when none is: scarcity stays bounded, and of a few free GPUs the
 * count is chance.
 */
const freeMin = 0.01;
const freeSetsMin = 0.005;
/** Free sets are held against what is asked for in this part of a lifetime. */
const horizon = 0.25;

/** What the weights of kinds are made from. */
export interface ScarcityInputs {
  readonly classes: Classes;
  /** Value of a rest of a device, in GPUs. */
  readonly valueOf: Float64Array;
  /** How far sets of GPUs count by what is free: 0 by all that there are. */
  readonly setScarcity: number;
}

/**
 * By kind: 1 when every node can host it, 10 when a tenth of the room for such requests is on nodes that can.
 */
export function scarcityOf(
  books: Books,
  wanted: readonly Wanted[],
  { classes, valueOf, setScarcity }: ScarcityInputs,
): readonly number[] {
  const gpus = classes.classes.reduce((sum, one) => sum + one.totalGpus, 0);
  const rests = restsOf(books, valueOf);
  return wanted.map((one) => {
    const isHost = classes.classes.map((nodeClass) => canHost(nodeClass, one.kind));
    if (one.kind.gpuCount === 1 && isHost.every((is) => is)) return 1;
    const hosts = (node: number): boolean => isHost[classes.classOf[node] as number] === true;
    const hosting = classes.classes.reduce(
      (sum, { totalGpus }, i) => (isHost[i] === true ? sum + totalGpus : sum),
      0,
    );
    if (hosting === 0) return 1;
    if (one.kind.gpuCount > 1) {
      let inSets = 0;
      for (let node = 0; node < books.count; node++) {
        if (books.isReady[node] === 1 && hosts(node)) inSets += gpusInSets(books, node, one);
      }
      const now = (inSets + freeSetsMin * hosting) / (horizon * gpus);
      return (hosting / gpus) ** (setScarcity - 1) * now ** -setScarcity;
    }
    let here = 0;
    let everywhere = 0;
    for (let node = 0; node < books.count; node++) {
      const room = roomFor(books, node, one, rests[node] as number);
      everywhere += room;
      if (hosts(node)) here += room;
    }
    return (everywhere + freeMin * gpus) / (here + freeMin * hosting);
  });
}

function restsOf(books: Books, valueOf: Float64Array): Float64Array {
  const rests = new Float64Array(books.count);
  for (let node = 0; node < books.count; node++) {
    if (books.isReady[node] === 0) continue;
    const first = node * books.stride;
    for (let device = first; device < first + (books.gpus[node] as number); device++) {
      const room = books.deviceRoom[device] as number;
      rests[node] = (rests[node] as number) + (valueOf[room] as number);
    }
  }
  return rests;
}

/** GPUs' worth of the rests that the node's cores and memory can serve. */
function roomFor(books: Books, node: number, { cores, memory }: Wanted, rests: number): number {
  const byCores = cores > 0 ? (books.cpuMilli[node] as number) / coreMilli / cores : rests;
  const byMemory = memory > 0 ? (books.memoryMib[node] as number) / memory : rests;
  return Math.min(rests, byCores, byMemory);
}

function gpusInSets(books: Books, node: number, { kind }: Wanted): number {
  const byCores =
    kind.cpuMilli > 0 ? (books.cpuMilli[node] as number) / kind.cpuMilli : Number.POSITIVE_INFINITY;
  const byMemory =
    kind.memoryMib > 0 ? (books.memoryMib[node] as number) / kind.memoryMib : Number.POSITIVE_INFINITY;
  return (
    kind.gpuCount * Math.floor(Math.min((books.idleGpus[node] as number) / kind.gpuCount, byCores, byMemory))
  );
}
