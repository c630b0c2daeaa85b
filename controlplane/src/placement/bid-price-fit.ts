// Bid-price fit: every rest of a node has a price, made from what is being asked for; a request goes where it destroys
// the least value. The prices of the pieces come from `fraction-prices.ts`, the value of a node from `node-value.ts`;
// while sessions come and go, GPUs that the next request could not use count too (`expected-fragments.ts`).
import type { Books } from "./books.ts";
import { type ExpectedFragments, expectedFragments } from "./expected-fragments.ts";
import { type Kind, milliOn } from "./kind.ts";
import { CORE_MILLI, classesOf } from "./node-classes.ts";
import { type NodeValue, nodeValue, type Tuning } from "./node-value.ts";
import type { Outlook, Policy } from "./policy.ts";
import { gpuMilliWhole } from "./resources.ts";

/** Costs are whole numbers of a hundredth of a GPU's value: nodes that differ by less are equal, and the fullest wins. */
const COST_PER_GPU = 100;

/** From filling (churn 0) to steady (1): slack between nodes is worth less and whole sets of GPUs are worth more. */
export function tuningFor(churn: number): Tuning {
  return { restDiscount: 0.05 + 0.25 * churn, setWeight: 0.2 * 75 ** churn, partOfSet: churn, fragmentWeight: churn };
}

export function bpf(books: Books): Policy {
  return bpfWith(books, tuningFor);
}

/** For experiments with the constants. */
export function bpfWith(books: Books, tuningOf: (churn: number) => Tuning): Policy {
  const { classes, classOf } = classesOf(books);
  let tuning = tuningOf(0);
  let value: NodeValue = nodeValue(books, { mix: [], tuning, classes });
  let fragments: ExpectedFragments = expectedFragments(books, [], classes);
  const versionOf = new Int32Array(books.count);
  const rests = new Float64Array(books.count);
  const rooms = new Int32Array(books.count);
  const worthBefore = new Float64Array(books.count);
  const chosen = { device: -1 };
  const after = { node: 0, cpuMilli: 0, memoryMib: 0 };

  /** Sets what the node has left for the rest of one evaluation. */
  const leave = (node: number, kind: Kind | undefined): void => {
    after.node = node;
    after.cpuMilli = (books.cpuMilli[node] as number) - (kind?.cpuMilli ?? 0);
    after.memoryMib = (books.memoryMib[node] as number) - (kind?.memoryMib ?? 0);
  };
  const fragmentsOfRests = (): number => {
    const { node } = after;
    const cores = (after.cpuMilli / CORE_MILLI) | 0;
    return fragments.ofRests(classOf[node] as number, cores, books.deviceRoom, node * books.stride, books.gpus[node] as number);
  };
  const fragmentsOfRest = (room: number): number =>
    room === 0 || room === gpuMilliWhole
      ? 0
      : fragments.ofRest(classOf[after.node] as number, (after.cpuMilli / CORE_MILLI) | 0, room);
  /** Value of the node less what is expected to be unusable of it. */
  const worth = (sum: number, idle: number, room: number, unusable: number): number => {
    const nodeClass = classOf[after.node] as number;
    const its = value.of(nodeClass, sum, idle, after.cpuMilli, after.memoryMib);
    if (tuning.fragmentWeight === 0) return its;
    return its - tuning.fragmentWeight * fragments.of(nodeClass, (after.cpuMilli / CORE_MILLI) | 0, unusable, room, idle);
  };
  const measure = (node: number): void => {
    const first = node * books.stride;
    let sum = 0;
    let room = 0;
    for (let device = first; device < first + (books.gpus[node] as number); device++) {
      sum += value.ofRest[books.deviceRoom[device] as number] as number;
      room += books.deviceRoom[device] as number;
    }
    leave(node, undefined);
    rests[node] = sum;
    rooms[node] = room;
    worthBefore[node] = worth(sum, books.idleGpus[node] as number, room, tuning.fragmentWeight === 0 ? 0 : fragmentsOfRests());
    versionOf[node] = books.version[node] as number;
  };
  const costOf = (node: number, worthAfter: number): number =>
    Math.round(((worthBefore[node] as number) - worthAfter) * COST_PER_GPU);

  const costOfFraction = (node: number, kind: Kind): number => {
    const first = node * books.stride;
    const idle = books.idleGpus[node] as number;
    const unusable = tuning.fragmentWeight === 0 ? 0 : fragmentsOfRests();
    let best = Number.POSITIVE_INFINITY;
    let bestRoom = 0;
    let seen = -1;
    for (let i = 0; i < (books.gpus[node] as number); i++) {
      const room = books.deviceRoom[first + i] as number;
      if (room === seen || !books.isShareFor(first + i, kind)) continue;
      seen = room;
      const left = roomAfter(books, first + i, kind);
      const sum = (rests[node] as number) - (value.ofRest[room] as number) + (value.ofRest[left] as number);
      const unusableAfter = tuning.fragmentWeight === 0 ? 0 : unusable - fragmentsOfRest(room) + fragmentsOfRest(left);
      const idleAfter = room === gpuMilliWhole ? idle - 1 : idle;
      const cost = costOf(node, worth(sum, idleAfter, (rooms[node] as number) - room + left, unusableAfter));
      if (cost > best || (cost === best && room >= bestRoom)) continue;
      best = cost;
      bestRoom = room;
      chosen.device = i;
    }
    return best;
  };
  const cost = (node: number, kind: Kind): number => {
    if (versionOf[node] !== books.version[node]) measure(node);
    leave(node, kind);
    if (kind.isFraction) return costOfFraction(node, kind);
    const count = kind.gpuCount;
    const idle = (books.idleGpus[node] as number) - count;
    const unusable = tuning.fragmentWeight === 0 ? 0 : fragmentsOfRests();
    return costOf(node, worth((rests[node] as number) - count, idle, (rooms[node] as number) - count * gpuMilliWhole, unusable));
  };
  const adopt = ({ mix, churn }: Outlook): void => {
    tuning = tuningOf(churn);
    value = nodeValue(books, { mix, tuning, classes });
    fragments = expectedFragments(books, mix, classes);
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
