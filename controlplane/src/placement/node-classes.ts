// Nodes of the same GPUs and cores are one class: what a rest of them is worth is tabled once per class.
import type { Books } from "./books.ts";
import { demandMilli, type Kind } from "./kind.ts";
import { gpuMilliWhole } from "./resources.ts";

export const CORE_MILLI = 1000;

export interface NodeClass {
  readonly model: number;
  readonly gpus: number;
  readonly cpuMilli: number;
  /** Of the largest node of the class. */
  readonly memoryMib: number;
  readonly totalGpus: number;
}

export interface Classes {
  readonly classes: readonly NodeClass[];
  readonly classOf: Int32Array;
}

export function classesOf(books: Books): Classes {
  const classes: NodeClass[] = [];
  const byKey = new Map<string, number>();
  const classOf = new Int32Array(books.count);
  for (const [node, { cpuMilli, memoryMib, gpus }] of books.specs.entries()) {
    const model = books.deviceModel[node * books.stride] as number;
    const key = `${model}/${gpus.length}/${cpuMilli}`;
    const index = byKey.get(key) ?? classes.length;
    byKey.set(key, index);
    classOf[node] = index;
    const its = classes[index] ?? { model, gpus: gpus.length, cpuMilli, memoryMib: 0, totalGpus: 0 };
    classes[index] = {
      ...its,
      memoryMib: Math.max(its.memoryMib, memoryMib),
      totalGpus: its.totalGpus + gpus.length,
    };
  }
  return { classes, classOf };
}

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

/** Milli of one device that a request needs there: a fraction that names more memory than thousandths is as large as its memory. */
export function sizeOf(kind: Kind, cardMib: number): number {
  if (!kind.isFraction) return gpuMilliWhole;
  const byMemory = cardMib > 0 && kind.gpuMemoryMib > 0 ? Math.ceil((kind.gpuMemoryMib * gpuMilliWhole) / cardMib) : 0;
  const milli = demandMilli(kind, cardMib);
  return Math.min(gpuMilliWhole, Math.max(Number.isFinite(milli) ? milli : gpuMilliWhole, byMemory));
}
