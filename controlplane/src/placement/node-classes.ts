// Nodes of the same GPUs and cores are one class: what a rest of them is worth is tabled once per class.
import { gpuMilliWhole } from "@voda/proto/placement";
import { type Books, grown } from "./books.ts";
import { demandMilli, type Kind } from "./kind.ts";

/** Thousandths of one core. */
export const coreMilli = 1000;

/** Nodes that are alike: prices are made for one of them. */
export interface NodeClass {
  readonly model: number;
  readonly gpus: number;
  readonly cpuMilli: number;
  /** Of the largest node of the class. */
  readonly memoryMib: number;
  readonly totalGpus: number;
}

/**
 * Of a slot without a node, of a node without GPUs, and of one that came since with GPUs and cores as none
 * before.
 */
export const noClass = -1;

/** The classes of all nodes, and the class of each slot. */
export interface Classes {
  readonly classes: readonly NodeClass[];
  /** By slot; as long as the columns of the books. */
  classOf: Int32Array;
  readonly byKey: ReadonlyMap<string, number>;
}

/** Made anew with new prices: nodes come and go. */
export function classesOf(books: Books): Classes {
  const classes: NodeClass[] = [];
  const byKey = new Map<string, number>();
  const classOf = new Int32Array(books.capacity).fill(noClass);
  for (const [node, spec] of books.specs.entries()) {
    if (spec === undefined || spec.gpus.length === 0) continue;
    const key = keyOf(books, node);
    const index = byKey.get(key) ?? classes.length;
    byKey.set(key, index);
    classOf[node] = index;
    const { cpuMilli, memoryMib, gpus } = spec;
    const model = books.deviceModel[node * books.stride] as number;
    const its = classes[index] ?? { model, gpus: gpus.length, cpuMilli, memoryMib: 0, totalGpus: 0 };
    classes[index] = {
      ...its,
      memoryMib: Math.max(its.memoryMib, memoryMib),
      totalGpus: its.totalGpus + gpus.length,
    };
  }
  return { classes, classOf, byKey };
}

/** Gives a node that came, or the slot of one that left, its class among the known ones. */
export function classify(books: Books, classes: Classes, node: number): void {
  if (node >= classes.classOf.length) classes.classOf = grown(classes.classOf, books.capacity, noClass);
  classes.classOf[node] =
    books.gpus[node] === 0 ? noClass : (classes.byKey.get(keyOf(books, node)) ?? noClass);
}

function keyOf(books: Books, node: number): string {
  return `${books.deviceModel[node * books.stride]}/${books.gpus[node]}/${books.cpuCapacity[node]}`;
}

/** Whether an empty node of the class has the room. */
export function canHost(one: NodeClass, kind: Kind): boolean {
  return (
    one.gpus >= kind.gpuCount &&
    one.cpuMilli >= kind.cpuMilli &&
    one.memoryMib >= kind.memoryMib &&
    (kind.models === 0 || ((kind.models >> one.model) & 1) === 1)
  );
}

/** Cards whose memory is not known do not count; 0 when none is known. */
export function meanCardMib(books: Books): number {
  let cards = 0;
  let sum = 0;
  for (const memoryMib of books.cardMemoryMib) {
    if (memoryMib === 0) continue;
    cards += 1;
    sum += memoryMib;
  }
  return cards === 0 ? 0 : Math.round(sum / cards);
}

/**
 * Milli of one device that a request needs there: a fraction that names more memory than thousandths is as
 * large as its memory.
 */
export function sizeOf(kind: Kind, cardMib: number): number {
  if (!kind.isFraction) return gpuMilliWhole;
  const byMemory =
    cardMib > 0 && kind.gpuMemoryMib > 0 ? Math.ceil((kind.gpuMemoryMib * gpuMilliWhole) / cardMib) : 0;
  const milli = demandMilli(kind, cardMib);
  return Math.min(gpuMilliWhole, Math.max(Number.isFinite(milli) ? milli : gpuMilliWhole, byMemory));
}
