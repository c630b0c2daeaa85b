// Picks the node of least cost for a kind. Costs are kept per kind and node with the version they were made
// at; nodes come in blocks of 16 whose best is kept too, so a decision reads what changed since the kind was
// last asked for.
import { assert, type Prng } from "@voda/stdx";
import { type Books, blockBits, grown } from "./books.ts";
import type { Kind } from "./kind.ts";
import type { Policy } from "./policy.ts";
import { defaultMemoryMib } from "./resources.ts";
import { tournament } from "./tournament.ts";

/** A node that does not fit, or a block without one that does. */
const noNode = -1;
const infeasible = 2 ** 31 - 1;
/** Kinds with kept costs, 9 bytes per node each; the one that was asked for longest ago makes room. */
export const rowsMax = 512;

/**
 * A core weighs as much as 62.5 milli of a GPU, and 8 GiB as a core: about what a typical card has beside it.
 */
const milliOfCpuPerGpu = 16;
const mibPerGpuMilli = 128;

/**
 * What decides between nodes of equal cost, by what the kind names: sessions that name CPU or memory pack
 * tightly, those that name neither spread. `first` where the policy leaves ties to the order of the pool.
 */
const Tie = { first: 0, fullest: 1, leastMemory: 2, emptiest: 3 } as const;
type Tie = (typeof Tie)[keyof typeof Tie];

/** All that is kept of one kind, by node and by block. */
class Row {
  kind: Kind;
  tie: Tie = Tie.first;
  cost: Int32Array;
  // Chosen by the policy with the cost.
  device: Int8Array;
  // Of the node when its cost was made; the books count from 1, so 0 is never current.
  version: Int32Array;
  blockBest: Int32Array;
  /** Cost of the best of the block: beside each other, so that a decision reads them in one pass. */
  blockCost: Int32Array;
  blockVersion: Int32Array;
  // Of the prices that the costs were made with.
  epoch = 0;

  constructor(kind: Kind, nodes: number, blocks: number) {
    this.kind = kind;
    this.cost = new Int32Array(nodes);
    this.device = new Int8Array(nodes);
    this.version = new Int32Array(nodes);
    this.blockBest = new Int32Array(blocks);
    this.blockCost = new Int32Array(blocks);
    this.blockVersion = new Int32Array(blocks);
  }

  /** Version 0 of what is new: never looked at. */
  grow(nodes: number, blocks: number): void {
    this.cost = grown(this.cost, nodes);
    this.device = grown(this.device, nodes);
    this.version = grown(this.version, nodes);
    this.blockBest = grown(this.blockBest, blocks);
    this.blockCost = grown(this.blockCost, blocks);
    this.blockVersion = grown(this.blockVersion, blocks);
  }

  // Without its version no cost is read.
  forget(epoch: number): void {
    this.version.fill(0);
    this.blockVersion.fill(0);
    this.epoch = epoch;
  }
}

/** The cheapest node that was found, with its cost. */
export interface Ranked {
  readonly node: number;
  readonly cost: number;
}

/** What narrows the choice of one request. */
export interface PickOptions {
  /** Nodes that may be picked, where the request constrains more than its kind. */
  readonly isAllowed?: ((node: number) => boolean) | undefined;
  /** The node where the session's data is, and what that is worth in cost. */
  readonly warm?: { readonly node: number; readonly discount: number } | undefined;
}

/** The picks of one kind, each of which is booked before the next. */
export interface Contest {
  /** What `pick` would say. */
  best(): number | undefined;
  /** To be told of every node that changes. */
  changed(node: number): void;
}

/**
 * Keeps the cost of each kind on each node, so that a decision looks at few of them. Costs are brought up
 * to date by `catchUp`.
 */
export class Ranking {
  readonly #books: Books;
  readonly #policy: Policy;
  readonly #prng: Prng;
  readonly #rowsMost: number;
  /** In the order of use: the first is the one to drop. */
  readonly #rows = new Map<number, Row>();
  /** The same rows in the order of making, and whose turn it is to be brought up to date. */
  readonly #all: Row[] = [];
  #turn = 0;
  #epoch = 1;
  #last: { readonly kind: Kind; readonly row: Row } | undefined;

  /** `rows`: kinds with kept costs. */
  constructor(books: Books, policy: Policy, prng: Prng, rows = rowsMax) {
    this.#books = books;
    this.#policy = policy;
    this.#prng = prng;
    this.#rowsMost = rows;
  }

  /** Voids all kept costs: the policy has new prices. */
  forget(): void {
    this.#epoch += 1;
  }

  /** Kinds with kept costs. */
  get rows(): number {
    return this.#all.length;
  }

  /**
   * Brings the costs of one kind up to date, each in its turn. Whoever owns the pool calls it between
   * decisions: it costs as much as one, and bounds what a kind that is rarely asked for has to catch up on.
   */
  catchUp(): void {
    this.#turn = (this.#turn + 1) % Math.max(1, this.#all.length);
    const row = this.#all[this.#turn];
    // Where chance decides, every node is looked at anyway: blocks are never read.
    if (row === undefined || this.#policy.tie === "any") return;
    this.#renew(row);
    const { blockVersion, blocks } = this.#books;
    for (let block = 0; block < blocks; block++) {
      if (row.blockVersion[block] !== blockVersion[block]) this.#measureBlock(row, row.kind, block);
    }
  }

  /** The best nodes of the blocks, the best first. For a policy that keeps costs. */
  bestOfBlocks(kind: Kind, most: number): readonly Ranked[] {
    const row = this.#rowOf(kind);
    const { blockVersion, blocks } = this.#books;
    const best: Ranked[] = [];
    let worst = infeasible;
    for (let block = 0; block < blocks; block++) {
      if (row.blockVersion[block] !== blockVersion[block]) this.#measureBlock(row, kind, block);
      const cost = row.blockCost[block] as number;
      if (cost >= worst) continue;
      const at = best.findIndex((one) => one.cost > cost);
      best.splice(at < 0 ? best.length : at, 0, { node: row.blockBest[block] as number, cost });
      if (best.length > most) best.pop();
      if (best.length === most) worst = best.at(-1)?.cost ?? infeasible;
    }
    return best;
  }

  /** The best node for the kind, or `undefined` when none fits. */
  pick(kind: Kind, { isAllowed, warm }: PickOptions = {}): Ranked | undefined {
    const row = this.#rowOf(kind);
    let best = noNode;
    if (this.#policy.tie === "any") best = this.#pickAny(row, kind, isAllowed);
    else
      best = isAllowed === undefined ? this.#pickByBlocks(row, kind) : this.#pickAmong(row, kind, isAllowed);
    if (best === noNode) return undefined;
    const cost = row.cost[best] as number;
    // The session's own node is worth a little more, but never where it would not fit or may not go.
    if (warm !== undefined && warm.node !== best && (isAllowed === undefined || isAllowed(warm.node))) {
      const warmCost = this.#costOn(row, kind, warm.node);
      if (warmCost !== infeasible && warmCost - warm.discount <= cost)
        return { node: warm.node, cost: warmCost };
    }
    return { node: best, cost };
  }

  /** Void when another kind is asked for or prices change; absent where chance decides. */
  contest(kind: Kind): Contest | undefined {
    if (this.#policy.tie === "any") return undefined;
    const row = this.#rowOf(kind);
    const { blockVersion, blocks: count } = this.#books;
    for (let block = 0; block < count; block++) {
      if (row.blockVersion[block] !== blockVersion[block]) this.#measureBlock(row, kind, block);
    }
    const blocks = tournament(count, (a, b) =>
      this.#isBlockBetter(row, a, row.blockBest[b] as number, row.blockCost[b] as number),
    );
    return {
      best: () => {
        const node = row.blockBest[blocks.winner()] as number;
        return node === noNode ? undefined : node;
      },
      changed: (node) => {
        this.#measureBlock(row, kind, node >> blockBits);
        blocks.changed(node >> blockBits);
      },
    };
  }

  /** The devices that the policy chose for a kind on a node that fits it. */
  maskOn(kind: Kind, node: number): number {
    const row = this.#rowOf(kind);
    const cost = this.#costOn(row, kind, node);
    assert(cost !== infeasible, `node ${this.#books.idOf(node)} does not fit the request`);
    if (this.#policy.tie === "any" && kind.isFraction) return 1 << this.#anyDevice(kind, node);
    return this.#books.maskFor(node, kind, row.device[node] as number);
  }

  /** The cost of a kind on one node, or `undefined` when it does not fit there. */
  costOn(kind: Kind, node: number): number | undefined {
    const cost = this.#costOn(this.#rowOf(kind), kind, node);
    return cost === infeasible ? undefined : cost;
  }

  #rowOf(kind: Kind): Row {
    const known = this.#rows.get(kind.index);
    if (known !== undefined) {
      // Else it is the last in the order of use already.
      if (this.#last?.kind !== kind) {
        this.#rows.delete(kind.index);
        this.#rows.set(kind.index, known);
        this.#last = { kind, row: known };
      }
      this.#renew(known);
      return known;
    }
    const row = this.#freeRow(kind);
    row.forget(this.#epoch);
    row.tie = this.#tieOf(kind);
    this.#renew(row);
    this.#rows.set(kind.index, row);
    this.#last = { kind, row };
    return row;
  }

  #renew(row: Row): void {
    const { capacity, blockVersion } = this.#books;
    if (row.cost.length < capacity) row.grow(capacity, blockVersion.length);
    if (row.epoch !== this.#epoch) row.forget(this.#epoch);
  }

  #freeRow(kind: Kind): Row {
    if (this.#rows.size >= this.#rowsMost) {
      // A Map keeps the order in which its keys were set: the first was used longest ago.
      const [oldest] = this.#rows;
      assert(oldest !== undefined, "a ranking keeps at least one row");
      const [index, row] = oldest;
      this.#rows.delete(index);
      row.kind = kind;
      return row;
    }
    const row = new Row(kind, this.#books.capacity, this.#books.blockVersion.length);
    this.#all.push(row);
    return row;
  }

  #costOn(row: Row, kind: Kind, node: number): number {
    const version = this.#books.version[node] as number;
    if (row.version[node] !== version) this.#measure(row, kind, node, version);
    return row.cost[node] as number;
  }

  #measure(row: Row, kind: Kind, node: number, version: number): void {
    row.version[node] = version;
    if (!this.#books.fits(node, kind)) {
      row.cost[node] = infeasible;
      return;
    }
    // The policy leaves its device there, so that none is allocated for each node.
    const { chosen } = this.#policy;
    chosen.device = noNode;
    row.cost[node] = this.#policy.cost(node, kind);
    row.device[node] = chosen.device;
  }

  #pickByBlocks(row: Row, kind: Kind): number {
    const { blockVersion, blocks } = this.#books;
    const { tie } = row;
    let best = noNode;
    let bestCost = infeasible;
    for (let block = 0; block < blocks; block++) {
      if (row.blockVersion[block] !== blockVersion[block]) this.#measureBlock(row, kind, block);
      const cost = row.blockCost[block] as number;
      if (cost > bestCost || cost === infeasible) continue;
      const node = row.blockBest[block] as number;
      if (cost < bestCost || (tie !== Tie.first && cost === bestCost && this.#isPreferred(tie, node, best))) {
        best = node;
        bestCost = cost;
      }
    }
    return best;
  }

  #measureBlock(row: Row, kind: Kind, block: number): void {
    const { version, count } = this.#books;
    const { tie } = row;
    const end = Math.min(count, (block + 1) << blockBits);
    let best = noNode;
    let bestCost = infeasible;
    for (let node = block << blockBits; node < end; node++) {
      const now = version[node] as number;
      if (row.version[node] !== now) this.#measure(row, kind, node, now);
      const cost = row.cost[node] as number;
      if (cost > bestCost || cost === infeasible) continue;
      if (cost < bestCost || (tie !== Tie.first && this.#isPreferred(tie, node, best))) {
        best = node;
        bestCost = cost;
      }
    }
    row.blockBest[block] = best;
    row.blockCost[block] = bestCost;
    row.blockVersion[block] = this.#books.blockVersion[block] as number;
  }

  /** A block is looked into only when its best, allowed or not, beats what was found before it. */
  #pickAmong(row: Row, kind: Kind, isAllowed: (node: number) => boolean): number {
    const { blockVersion, blocks, count } = this.#books;
    const { tie } = row;
    let best = noNode;
    let bestCost = infeasible;
    for (let block = 0; block < blocks; block++) {
      if (row.blockVersion[block] !== blockVersion[block]) this.#measureBlock(row, kind, block);
      if (!this.#isBlockBetter(row, block, best, bestCost)) continue;
      const end = Math.min(count, (block + 1) << blockBits);
      for (let node = block << blockBits; node < end; node++) {
        const cost = row.cost[node] as number;
        if (cost > bestCost || cost === infeasible) continue;
        const isBetter = cost < bestCost || (tie !== Tie.first && this.#isPreferred(tie, node, best));
        if (!isBetter || !isAllowed(node)) continue;
        best = node;
        bestCost = cost;
      }
    }
    return best;
  }

  #isBlockBetter(row: Row, block: number, node: number, cost: number): boolean {
    const its = row.blockCost[block] as number;
    if (its !== cost) return its < cost;
    return (
      its !== infeasible &&
      row.tie !== Tie.first &&
      this.#isPreferred(row.tie, row.blockBest[block] as number, node)
    );
  }

  /** Reservoir sampling: each node that fits is picked with the same chance, in one pass. */
  #pickAny(row: Row, kind: Kind, isAllowed: ((node: number) => boolean) | undefined): number {
    let best = noNode;
    let seen = 0;
    for (let node = 0; node < this.#books.count; node++) {
      if (this.#costOn(row, kind, node) === infeasible || (isAllowed !== undefined && !isAllowed(node)))
        continue;
      seen += 1;
      if (this.#prng.below(seen) === 0) best = node;
    }
    return best;
  }

  #anyDevice(kind: Kind, node: number): number {
    const first = node * this.#books.stride;
    const fitting: number[] = [];
    for (let i = 0; i < (this.#books.gpus[node] as number); i++) {
      if (this.#books.isShareFor(first + i, kind)) fitting.push(i);
    }
    return this.#prng.pick(fitting);
  }

  #tieOf(kind: Kind): Tie {
    if (this.#policy.tie !== "fullest") return Tie.first;
    if (kind.gpuCount > 0 || kind.cpuMilli > 0) return Tie.fullest;
    return kind.memoryMib > defaultMemoryMib ? Tie.leastMemory : Tie.emptiest;
  }

  /** Between nodes of equal cost; the first wins what is left. */
  #isPreferred(tie: Tie, a: number, b: number): boolean {
    if (tie === Tie.emptiest) return this.#isEmptier(a, b);
    const { cpuMilli, memoryMib, gpuMilli } = this.#books;
    if (tie === Tie.fullest) {
      const leftA = (cpuMilli[a] as number) / milliOfCpuPerGpu + (gpuMilli[a] as number);
      return leftA < (cpuMilli[b] as number) / milliOfCpuPerGpu + (gpuMilli[b] as number);
    }
    const leftA = (memoryMib[a] as number) / mibPerGpuMilli + (gpuMilli[a] as number);
    return leftA < (memoryMib[b] as number) / mibPerGpuMilli + (gpuMilli[b] as number);
  }

  /**
   * GPUs are not for sessions that need none while there is another place; then the most room, in parts of
   * the node.
   */
  #isEmptier(a: number, b: number): boolean {
    const { gpus, sessions } = this.#books;
    const hasGpus = gpus[a] !== 0;
    if (hasGpus !== (gpus[b] !== 0)) return !hasGpus;
    const roomA = this.#roomOf(a);
    const roomB = this.#roomOf(b);
    return roomA === roomB ? (sessions[a] as number) < (sessions[b] as number) : roomA > roomB;
  }

  /** 0 to 2: free CPU and free memory, each as a part of the node. */
  #roomOf(node: number): number {
    const { cpuMilli, cpuCapacity, memoryMib, memoryCapacity } = this.#books;
    const cpu = (cpuMilli[node] as number) / Math.max(1, cpuCapacity[node] as number);
    return cpu + (memoryMib[node] as number) / Math.max(1, memoryCapacity[node] as number);
  }
}
