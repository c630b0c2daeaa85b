// Bid-price fit: every rest of a node has a price, made from what is being asked for; a request goes where it destroys
// the least value. The prices of the pieces come from `fraction-prices.ts`, the value of a node from `node-value.ts`.
import type { Books } from "./books.ts";
import { type Kind, milliOn } from "./kind.ts";
import { type NodeValue, nodeValue, type Tuning } from "./node-value.ts";
import type { Outlook, Policy } from "./policy.ts";
import { gpuMilliWhole } from "./resources.ts";

/** Costs are whole numbers of a 200th of a GPU's value: nodes that differ by less are equal, and the fullest wins. */
const COST_PER_GPU = 200;
/** From filling (churn 0) to steady (1): slack between nodes is worth less and whole sets of GPUs are worth more. */
export function tuningFor(churn: number): Tuning {
  return { restDiscount: 0.05 + 0.25 * churn, setWeight: 0.2 * 30 ** churn, partOfSet: churn };
}

export function bpf(books: Books): Policy {
  return bpfWith(books, tuningFor);
}

/** For experiments with the constants. */
export function bpfWith(books: Books, tuningOf: (churn: number) => Tuning): Policy {
  let value: NodeValue = nodeValue(books, [], tuningOf(0));
  const versionOf = new Int32Array(books.count);
  const rests = new Float64Array(books.count);
  const valueBefore = new Float64Array(books.count);
  const chosen = { device: -1 };

  const measure = (node: number): void => {
    const first = node * books.stride;
    let sum = 0;
    for (let i = 0; i < (books.gpus[node] as number); i++) {
      sum += value.ofRest[books.deviceRoom[first + i] as number] as number;
    }
    rests[node] = sum;
    valueBefore[node] = valueAt(node, sum, books.idleGpus[node] as number, undefined);
    versionOf[node] = books.version[node] as number;
  };
  const valueAt = (node: number, sum: number, idle: number, kind: Kind | undefined): number => {
    const cpuMilli = (books.cpuMilli[node] as number) - (kind?.cpuMilli ?? 0);
    const memoryMib = (books.memoryMib[node] as number) - (kind?.memoryMib ?? 0);
    return value.of(value.classOf[node] as number, sum, idle, cpuMilli, memoryMib);
  };
  const costOf = (node: number, after: number): number => Math.round(((valueBefore[node] as number) - after) * COST_PER_GPU);

  const costOfFraction = (node: number, kind: Kind): number => {
    const first = node * books.stride;
    const idle = books.idleGpus[node] as number;
    let best = Number.POSITIVE_INFINITY;
    let bestRoom = 0;
    let seen = -1;
    for (let i = 0; i < (books.gpus[node] as number); i++) {
      const room = books.deviceRoom[first + i] as number;
      if (room === seen || !books.isShareFor(first + i, kind)) continue;
      seen = room;
      const left = roomAfter(books, first + i, kind);
      const sum = (rests[node] as number) - (value.ofRest[room] as number) + (value.ofRest[left] as number);
      const cost = costOf(node, valueAt(node, sum, room === gpuMilliWhole ? idle - 1 : idle, kind));
      if (cost > best || (cost === best && room >= bestRoom)) continue;
      best = cost;
      bestRoom = room;
      chosen.device = i;
    }
    return best;
  };
  const cost = (node: number, kind: Kind): number => {
    if (versionOf[node] !== books.version[node]) measure(node);
    if (kind.isFraction) return costOfFraction(node, kind);
    const idle = (books.idleGpus[node] as number) - kind.gpuCount;
    return costOf(node, valueAt(node, (rests[node] as number) - kind.gpuCount, idle, kind));
  };
  const adopt = ({ mix, churn }: Outlook): void => {
    value = nodeValue(books, mix, tuningOf(churn));
    versionOf.fill(0);
  };
  return { name: "bpf", tie: "fullest", cost, chosen, adopt };
}

function roomAfter(books: Books, device: number, kind: Kind): number {
  const card = books.cardMemoryMib[device] as number;
  const milli = (books.deviceMilli[device] as number) - milliOn(kind, card);
  if (kind.gpuMemoryMib === 0 || card === 0) return Math.min(milli, books.deviceRoom[device] as number);
  const memoryMib = (books.deviceMemoryMib[device] as number) - kind.gpuMemoryMib;
  return Math.max(0, Math.min(milli, Math.floor((memoryMib * gpuMilliWhole) / card)));
}
