// Bid-price fit: every rest of a node has a price, made from what is being asked for; a request goes where it
// destroys the least value. The prices of the pieces come from `fraction-prices.ts`, the value of a node from
// `node-value.ts`, and what is scarce weighs more (`scarcity.ts`); while sessions come and go, GPUs that the
// next request could not use count too (`expected-fragments.ts`).
import { gpuMilliWhole } from "@voda/proto/placement";
import { type Books, grown } from "./books.ts";
import { type ExpectedFragments, expectedFragments } from "./expected-fragments.ts";
import { type Kind, milliOn } from "./kind.ts";
import { type Classes, classesOf, classify, coreMilli, noClass } from "./node-classes.ts";
import { type NodeValue, nodeValue, type Tuning } from "./node-value.ts";
import type { Outlook, Policy } from "./policy.ts";

/**
 * Costs are whole numbers of a hundredth of a GPU's value: nodes that differ by less are equal, and the
 * fullest wins.
 */
const costPerGpu = 100;
/** A node whose class has no prices yet is taken after all others: its rests may be worth anything. */
const costUnpriced = 2 ** 30;

/**
 * From filling (churn 0) to steady (1): slack between nodes is worth less, and sets of GPUs what is free of
 * them tells.
 */
export function tuningFor(churn: number): Tuning {
  return { restDiscount: 0.05 + 0.25 * churn, setScarcity: churn, partOfSet: churn, fragmentWeight: churn };
}

/** A policy that can say what any placement destroys, not only the one that it would choose. */
export interface PricedPolicy extends Policy {
  /**
   * Value that the kind destroys on these devices of a node that fits it, in thousandths of a GPU; not
   * rounded. `undefined` on a node that has no prices until the next `adopt`.
   */
  readonly destroyedMilli: (node: number, kind: Kind, mask: number) => number | undefined;
}

/** Whether the policy learns prices: only then others can be compared with it. */
export function isPriced(policy: Policy): policy is PricedPolicy {
  return "destroyedMilli" in policy;
}

/**
 * Bid-price fit: the cost of a place is what the wanted mix of requests loses by it
 * (docs/decisions/0007-bid-price-fit.md).
 */
export function bpf(books: Books): PricedPolicy {
  return bpfWith(books, tuningFor);
}

/** For experiments with the constants. */
export function bpfWith(books: Books, tuningOf: (churn: number) => Tuning): PricedPolicy {
  const prices = new NodePrices(books, tuningOf);
  return {
    name: "bpf",
    tie: "fullest",
    cost: (node, kind) => prices.cost(node, kind),
    chosen: prices.chosen,
    adopt: (outlook) => prices.adopt(outlook),
    nodeChanged: (node) => prices.nodeChanged(node),
    destroyedMilli: (node, kind, mask) => prices.destroyedMilli(node, kind, mask),
  };
}

/** The prices of one outlook, and what every node was worth at the version that it was last looked at. */
class NodePrices {
  readonly chosen = { device: -1 };
  readonly #books: Books;
  readonly #tuningOf: (churn: number) => Tuning;
  #classes: Classes;
  /** Nodes came or went since the classes were made. */
  #isOutdated = false;
  #fragmentWeight = 0;
  #value: NodeValue;
  #fragments: ExpectedFragments;

  #version: Int32Array;
  /** Value of all rests of the node's devices, their milli, and the worth of the node with them. */
  #rests: Float64Array;
  #milli: Int32Array;
  #worth: Float64Array;

  constructor(books: Books, tuningOf: (churn: number) => Tuning) {
    this.#books = books;
    this.#tuningOf = tuningOf;
    this.#classes = classesOf(books);
    this.#value = nodeValue(books, { mix: [], tuning: tuningOf(0), classes: this.#classes });
    this.#fragments = expectedFragments(books, [], this.#classes.classes);
    this.#version = new Int32Array(books.capacity);
    this.#rests = new Float64Array(books.capacity);
    this.#milli = new Int32Array(books.capacity);
    this.#worth = new Float64Array(books.capacity);
  }

  nodeChanged(node: number): boolean {
    const { capacity, gpus } = this.#books;
    if (node >= this.#version.length) {
      this.#version = grown(this.#version, capacity);
      this.#rests = grown(this.#rests, capacity);
      this.#milli = grown(this.#milli, capacity);
      this.#worth = grown(this.#worth, capacity);
    }
    this.#isOutdated = true;
    classify(this.#books, this.#classes, node);
    return gpus[node] !== 0 && this.#classes.classOf[node] === noClass;
  }

  adopt({ mix, churn }: Outlook): void {
    const tuning = this.#tuningOf(churn);
    if (this.#isOutdated) this.#classes = classesOf(this.#books);
    this.#isOutdated = false;
    const { classes } = this.#classes;
    this.#fragmentWeight = tuning.fragmentWeight;
    this.#value = nodeValue(this.#books, { mix, tuning, classes: this.#classes });
    this.#fragments = expectedFragments(this.#books, mix, classes);
    this.#version.fill(0);
  }

  cost(node: number, kind: Kind): number {
    if (this.#books.gpus[node] === 0) return 0;
    if (this.#classes.classOf[node] === noClass) return costUnpriced;
    if (this.#version[node] !== this.#books.version[node]) this.#measure(node);
    return kind.isFraction
      ? this.#costOfFraction(node, kind)
      : this.#costOf(node, this.#worthAfterWhole(node, kind));
  }

  destroyedMilli(node: number, kind: Kind, mask: number): number | undefined {
    if (this.#books.gpus[node] === 0) return 0;
    if (this.#classes.classOf[node] === noClass) return undefined;
    if (this.#version[node] !== this.#books.version[node]) this.#measure(node);
    const after = kind.isFraction
      ? this.#worthAfterFraction(node, kind, {
          position: positionOf(mask),
          broken: this.#brokenRests(node, kind),
        })
      : this.#worthAfterWhole(node, kind);
    return ((this.#worth[node] as number) - after) * gpuMilliWhole;
  }

  #worthAfterWhole(node: number, kind: Kind): number {
    const count = kind.gpuCount;
    const rests = (this.#rests[node] as number) - count;
    const milli = (this.#milli[node] as number) - count * gpuMilliWhole;
    const idle = (this.#books.idleGpus[node] as number) - count;
    return this.#worthAfter(node, kind, { rests, milli, idle, broken: this.#brokenRests(node, kind) });
  }

  #costOfFraction(node: number, kind: Kind): number {
    const books = this.#books;
    const first = node * books.stride;
    const broken = this.#brokenRests(node, kind);
    let best = Number.POSITIVE_INFINITY;
    let bestRoom = 0;
    let seen = -1;
    for (let i = 0; i < (books.gpus[node] as number); i++) {
      const room = books.deviceRoom[first + i] as number;
      if (room === seen || !books.isShareFor(first + i, kind)) continue;
      seen = room;
      const cost = this.#costOf(node, this.#worthAfterFraction(node, kind, { position: i, broken }));
      if (cost > best || (cost === best && room >= bestRoom)) continue;
      best = cost;
      bestRoom = room;
      this.chosen.device = i;
    }
    return best;
  }

  #worthAfterFraction(node: number, kind: Kind, { position, broken }: Share): number {
    const device = node * this.#books.stride + position;
    const room = this.#books.deviceRoom[device] as number;
    const left = roomAfter(this.#books, device, kind);
    const idle = this.#books.idleGpus[node] as number;
    return this.#worthAfter(node, kind, {
      rests: (this.#rests[node] as number) - this.#value.restOf(room) + this.#value.restOf(left),
      milli: (this.#milli[node] as number) - room + left,
      idle: room === gpuMilliWhole ? idle - 1 : idle,
      broken: broken - this.#brokenRest(node, kind, room) + this.#brokenRest(node, kind, left),
    });
  }

  #measure(node: number): void {
    const books = this.#books;
    const first = node * books.stride;
    let rests = 0;
    let milli = 0;
    for (let device = first; device < first + (books.gpus[node] as number); device++) {
      const room = books.deviceRoom[device] as number;
      rests += this.#value.restOf(room);
      milli += room;
    }
    this.#rests[node] = rests;
    this.#milli[node] = milli;
    const idle = books.idleGpus[node] as number;
    this.#worth[node] = this.#worthAfter(node, undefined, {
      rests,
      milli,
      idle,
      broken: this.#brokenRests(node, undefined),
    });
    this.#version[node] = books.version[node] as number;
  }

  #costOf(node: number, after: number): number {
    return Math.round(((this.#worth[node] as number) - after) * costPerGpu);
  }

  /**
   * What the node is worth when the kind has taken its CPU and memory, and its devices have been left like
   * this.
   */
  #worthAfter(node: number, kind: Kind | undefined, { rests, milli, idle, broken }: Devices): number {
    const nodeClass = this.#classes.classOf[node] as number;
    const cpuMilli = (this.#books.cpuMilli[node] as number) - (kind?.cpuMilli ?? 0);
    const memoryMib = (this.#books.memoryMib[node] as number) - (kind?.memoryMib ?? 0);
    const value = this.#value.of(nodeClass, rests, idle, cpuMilli, memoryMib);
    if (this.#fragmentWeight === 0) return value;
    return (
      value -
      this.#fragmentWeight * this.#fragments.of(nodeClass, (cpuMilli / coreMilli) | 0, broken, milli, idle)
    );
  }

  #brokenRests(node: number, kind: Kind | undefined): number {
    if (this.#fragmentWeight === 0) return 0;
    const books = this.#books;
    const { stride, deviceRoom, gpus } = books;
    return this.#fragments.ofRests(
      this.#classes.classOf[node] as number,
      this.#coresAfter(node, kind),
      deviceRoom,
      node * stride,
      gpus[node] as number,
    );
  }

  #brokenRest(node: number, kind: Kind, room: number): number {
    if (this.#fragmentWeight === 0 || room === 0 || room === gpuMilliWhole) return 0;
    return this.#fragments.ofRest(this.#classes.classOf[node] as number, this.#coresAfter(node, kind), room);
  }

  #coresAfter(node: number, kind: Kind | undefined): number {
    return (((this.#books.cpuMilli[node] as number) - (kind?.cpuMilli ?? 0)) / coreMilli) | 0;
  }
}

interface Devices {
  /** Value of the rests. */
  readonly rests: number;
  readonly milli: number;
  readonly idle: number;
  /** Part of the rests that is expected to be too small, in milli. */
  readonly broken: number;
}

interface Share {
  readonly position: number;
  /** Of the rests before, with the cores of after. */
  readonly broken: number;
}

/** Of the only device of a mask. */
function positionOf(mask: number): number {
  return 31 - Math.clz32(mask);
}

function roomAfter(books: Books, device: number, kind: Kind): number {
  const card = books.cardMemoryMib[device] as number;
  const milli = (books.deviceMilli[device] as number) - milliOn(kind, card);
  if (kind.gpuMemoryMib === 0 || card === 0) return Math.min(milli, books.deviceRoom[device] as number);
  const memoryMib = (books.deviceMemoryMib[device] as number) - kind.gpuMemoryMib;
  return Math.max(0, Math.min(milli, Math.floor((memoryMib * gpuMilliWhole) / card)));
}
