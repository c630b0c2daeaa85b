// One pool of nodes, which come and go: decides from its books, books what is decided, and keeps what it
// learns for the policy. A decision changes nothing; its plan is refused when the node has changed since, and
// is then made anew.
import { gpuMilliWhole } from "@voda/proto/placement";
import { assert, prng } from "@voda/stdx";
import { Books } from "./books.ts";
import { cardMemoryOn, demandMilli, type Kind, type KindShape, KindTable, milliOn, shapeOf } from "./kind.ts";
import { Labels } from "./labels.ts";
import { RequestMix } from "./mix.ts";
import type { NodeSpec } from "./node-spec.ts";
import { type NodeUse, useOf } from "./node-use.ts";
import { type PolicyName, policies } from "./policies.ts";
import type { Outlook, Policy, PolicyOf } from "./policy.ts";
import { type PoolRefusal, refuseFor } from "./pool-refusal.ts";
import { type Amounts, type Quota, Quotas } from "./quota.ts";
import { Ranking } from "./ranking.ts";
import { type PoolRequest, requestProblem } from "./request.ts";
import { type DeviceShare } from "./resources.ts";

/** What a pool starts with; all of it can change later but the policy. */
export interface PoolOptions {
  /** Those that are there from the start. */
  readonly nodes?: readonly NodeSpec[];
  readonly policy?: PolicyName | PolicyOf;
  readonly quotas?: ReadonlyMap<string, Quota>;
  /** For the policy `random`. */
  readonly seed?: number;
}

/** A decision that is not booked. It is stale once its node has another version. */
export interface PoolPlan {
  readonly type: "plan";
  readonly request: PoolRequest;
  readonly kind: Kind;
  readonly node: number;
  readonly nodeId: string;
  /** Positions of the devices on the node. */
  readonly mask: number;
  /** Version of the node that the plan was made for. */
  readonly version: number;
}

/** A session that is booked. */
export interface Placed {
  readonly request: PoolRequest;
  readonly kind: Kind;
  node: number;
  mask: number;
}

/** What is kept equal to the pool: it hears of every change at once. */
export interface PoolFollower {
  readonly adopted: (outlook: Outlook) => void;
  /** A node came to this slot, or went from it. */
  readonly nodeChanged: (node: number) => void;
}

/**
 * Worth of a warm node, in costs of `bpf`: a twentieth of a GPU. It decides between near equals and wastes no
 * device.
 */
const warmDiscount = 5;
/** Change of the churn that is worth new prices. */
const churnStep = 0.08;
/** Change of the GPUs in use, as a part of all, that is worth new prices: what is scarce has changed then. */
const useStep = 0.04;
/** Arrivals before the first prices are made, and between prices at least. */
const firstArrivals = 20;
/** Arrivals between prices at most: the window in which the mix is learned anew. */
const arrivalsMax = 4000;
/** Models that no node has share this bit, which no device carries. */
const unknownModel = 1 << 30;

/**
 * Decides and books. Its parts are public for the policies and the planners of this folder; other folders
 * call its methods.
 */
export class Pool {
  readonly books: Books;
  readonly ranking: Ranking;
  readonly mix = new RequestMix();
  readonly quotas: Quotas;
  readonly labels: Labels;
  readonly sessions = new Map<string, Placed>();
  readonly policy: Policy;
  readonly #kinds = new KindTable();
  readonly #onNode: Set<Placed>[];
  readonly #namespaces = new Map<string, number>();
  #adopted = { arrivals: 0, churn: 0, usedMilli: 0 };
  /** A node came that has no prices. */
  #isUnpriced = false;
  readonly #followers: PoolFollower[] = [];

  /** @throws BooksError that says what is wrong with which node. */
  constructor({ nodes = [], policy = "bpf", quotas = new Map(), seed = 1 }: PoolOptions) {
    this.books = new Books(nodes);
    this.policy = (typeof policy === "string" ? policies[policy] : policy)(this.books);
    this.ranking = new Ranking(this.books, this.policy, prng(seed));
    this.quotas = new Quotas(quotas);
    this.labels = new Labels(this.books);
    this.#onNode = nodes.map(() => new Set());
  }

  follow(follower: PoolFollower): void {
    this.#followers.push(follower);
  }

  /**
   * What the pool has learned stays. A node whose like was never there is taken last until the next `adopt`.
   * @throws BooksError that says what is wrong with the node.
   */
  join(spec: NodeSpec): number {
    const { largestCpuMilli, largestGpus } = this.books;
    const node = this.books.join(spec);
    this.#onNode[node] ??= new Set();
    if (this.policy.nodeChanged?.(node) === true) this.#isUnpriced = true;
    if (this.books.largestCpuMilli > largestCpuMilli || this.books.largestGpus > largestGpus)
      this.ranking.forget();
    for (const follower of this.#followers) follower.nodeChanged(node);
    return node;
  }

  /** Its sessions leave the books with it. */
  leave(id: string): void {
    const node = this.books.slotOf(id);
    if (node === undefined) return;
    for (const { request } of this.sessionsOn(node)) this.release(request.session);
    this.books.leave(node);
    this.policy.nodeChanged?.(node);
    for (const follower of this.#followers) follower.nodeChanged(node);
  }

  setReady(id: string, isReady: boolean): void {
    const node = this.books.slotOf(id);
    if (node !== undefined && (this.books.isReady[node] === 1) !== isReady)
      this.books.setReady(node, isReady);
  }

  /** An arrival is counted for the outlook: once per request, however often it is decided. */
  decide(
    request: PoolRequest,
    { isArrival = false }: { readonly isArrival?: boolean } = {},
  ): PoolPlan | PoolRefusal {
    const kind = this.kindOf(request);
    if (typeof kind === "string") return { type: "refusal", reason: "invalid", problem: kind };
    if (isArrival) this.mix.arrived(kind);
    return this.decideOn(request, kind, () => this.nodeFor(request, kind));
  }

  /** The same for a caller that knows the kind and picks the node. */
  decideOn(request: PoolRequest, kind: Kind, pick: () => number | undefined): PoolPlan | PoolRefusal {
    if (this.sessions.has(request.session)) {
      return { type: "refusal", reason: "invalid", problem: `session ${request.session} is placed already` };
    }
    const miss = this.quotas.missOf(request.namespace, this.amountsOf(kind));
    if (miss !== undefined) return { type: "refusal", reason: "quota", namespace: request.namespace, miss };
    const node = pick();
    if (node === undefined) return refuseFor(this.books, kind, this.labels.missesOf(request));
    return this.planOn(request, kind, node);
  }

  /**
   * The node that the policy wants for a request, or another policy on these books; never the excluded one.
   */
  nodeFor(
    request: PoolRequest,
    kind: Kind,
    {
      excluded = -1,
      ranking = this.ranking,
    }: { readonly excluded?: number; readonly ranking?: Ranking } = {},
  ): number | undefined {
    const warm = request.warmNode === undefined ? undefined : this.#warm(request.warmNode);
    const missOn = this.labels.missesOf(request);
    const isAllowed = (node: number): boolean => node !== excluded && missOn?.(node) === undefined;
    if (request.spreadLabel === undefined) {
      const isFree = missOn === undefined && excluded < 0;
      return ranking.pick(kind, { isAllowed: isFree ? undefined : isAllowed, warm })?.node;
    }
    for (const zones of this.labels.zonesFor(request, request.spreadLabel)) {
      const isInZone = (node: number): boolean => this.labels.isInZones(node, zones) && isAllowed(node);
      const picked = ranking.pick(kind, { isAllowed: isInZone, warm });
      if (picked !== undefined) return picked.node;
    }
    return undefined;
  }

  /** A plan for a node that fits. */
  planOn(request: PoolRequest, kind: Kind, node: number): PoolPlan {
    const mask = this.ranking.maskOn(kind, node);
    const version = this.books.version[node] as number;
    return { type: "plan", request, kind, node, nodeId: this.books.idOf(node), mask, version };
  }

  /** Books the plan, or refuses it when the node or the namespace has changed since: decide again. */
  commit(plan: PoolPlan): Placed | "stale" {
    const { request, kind, node, mask } = plan;
    if (this.books.version[node] !== plan.version || this.sessions.has(request.session)) return "stale";
    if (this.quotas.missOf(request.namespace, this.amountsOf(kind)) !== undefined) return "stale";
    const placed: Placed = { request, kind, node, mask };
    this.book(placed);
    this.mix.placed();
    return placed;
  }

  /** One arrival from start to end: counts it for the outlook, decides and books. */
  place(request: PoolRequest): Placed | PoolRefusal {
    const plan = this.decide(request, { isArrival: true });
    if (plan.type === "refusal") return plan;
    const placed = this.commit(plan);
    assert(placed !== "stale", "nothing changed between the decision and its commit");
    return placed;
  }

  /** Counts an arrival for the outlook: once per request, however often it is decided. */
  arrived(request: PoolRequest): void {
    const kind = this.kindOf(request);
    if (typeof kind !== "string") this.mix.arrived(kind);
  }

  /**
   * Says that requests like this one are to be expected: knowledge of the mix from before the first arrival.
   */
  expect(request: PoolRequest): void {
    const kind = this.kindOf(request);
    if (typeof kind !== "string") this.mix.expect(kind);
  }

  /** The session ended or fell asleep: it is off the books either way. */
  release(session: string): Placed | undefined {
    const placed = this.sessions.get(session);
    if (placed === undefined) return undefined;
    this.unbook(placed);
    this.mix.departed();
    return placed;
  }

  sessionsOn(node: number): ReadonlySet<Placed> {
    return this.#onNode[node] ?? new Set();
  }

  /** Puts a session on the books where it says; for plans and their undoing. */
  book(placed: Placed): void {
    const { request, kind, node, mask } = placed;
    this.books.take(node, kind, mask);
    this.quotas.take(request.namespace, this.amountsOf(kind));
    this.labels.add(node, request);
    this.sessions.set(request.session, placed);
    this.#onNode[node]?.add(placed);
  }

  /** Books what was decided just now: counted for the churn, where it is about GPUs. */
  bookNew(placed: Placed): void {
    this.book(placed);
    if (placed.kind.gpuCount > 0) this.mix.placed();
  }

  /** Takes off the books what has gone for good, and is not just booked anew. */
  unbookGone(placed: Placed): void {
    this.unbook(placed);
    if (placed.kind.gpuCount > 0) this.mix.departed();
  }

  unbook(placed: Placed): void {
    const { request, kind, node, mask } = placed;
    this.books.give(node, kind, mask);
    this.quotas.give(request.namespace, this.amountsOf(kind));
    this.labels.remove(node, request);
    this.sessions.delete(request.session);
    this.#onNode[node]?.delete(placed);
  }

  /**
   * Whether new prices are worth their making: a node has none, the mix has doubled or aged, or the churn or
   * the use has moved.
   */
  isAdoptDue(): boolean {
    if (this.#isUnpriced) return true;
    const since = this.mix.arrivals - this.#adopted.arrivals;
    if (since >= Math.min(arrivalsMax, Math.max(firstArrivals, this.#adopted.arrivals))) return true;
    if (since < firstArrivals) return false;
    if (Math.abs(this.books.usedMilli - this.#adopted.usedMilli) > useStep * this.books.capacityMilli)
      return true;
    return Math.abs(this.mix.churn() - this.#adopted.churn) > churnStep;
  }

  /**
   * Makes new prices from what was learned, or from an outlook that is known. Milliseconds: not on the path
   * of a decision.
   */
  adopt(outlook: Outlook = this.mix.outlook()): void {
    this.#adopted = { arrivals: this.mix.arrivals, churn: outlook.churn, usedMilli: this.books.usedMilli };
    const isWanted = outlook.mix.length > 0 || this.#isUnpriced;
    this.#isUnpriced = false;
    if (!isWanted) return;
    for (const follower of this.#followers) follower.adopted(outlook);
    if (this.policy.adopt === undefined) return;
    this.policy.adopt(outlook);
    this.ranking.forget();
  }

  /** Nodes there are. */
  get nodeCount(): number {
    return this.books.nodes;
  }

  /** Turns of `tick` after which all kept costs are up to date. */
  get ticks(): number {
    return this.ranking.rows;
  }

  /**
   * Brings the kept costs of one kind up to date: the work that decisions leave for the time between them.
   */
  tick(): void {
    this.ranking.catchUp();
  }

  /** Whether the node gets sessions now. */
  isReady(node: number): boolean {
    return this.books.isReady[node] === 1;
  }

  /** What is taken of a node. */
  useOf(node: number): NodeUse {
    return useOf(this.books, node);
  }

  /** The kind of a request, or what is wrong with it. */
  kindOf(request: PoolRequest): Kind | string {
    const problem = requestProblem(request);
    if (problem !== undefined) return problem;
    const { resources, diskMib = 0, isolation = "shared" } = request;
    const owner =
      isolation === "process" && resources.gpu.type === "fraction" ? this.#ownerOf(request.namespace) : -1;
    return this.kindWith(
      shapeOf({ ...resources, diskMib, isolation }, this.#modelMask(request.models ?? []), owner),
    );
  }

  /** The one kind that asks for the same. */
  kindWith(room: KindShape): Kind {
    return this.#kinds.kindOf(room);
  }

  amountsOf(kind: Kind): Amounts {
    const gpuMilli = kind.gpuMilli > 0 ? demandMilli(kind, 0) : 0;
    return { sessions: 1, cpuMilli: kind.cpuMilli, memoryMib: kind.memoryMib, gpuMilli };
  }

  /** What a mask of devices gives a session: the node turns it into environment and limits. */
  devicesOf({
    kind,
    node,
    mask,
  }: {
    readonly kind: Kind;
    readonly node: number;
    readonly mask: number;
  }): readonly DeviceShare[] {
    const gpus = this.books.specs[node]?.gpus ?? [];
    return gpus
      .filter((_, i) => ((mask >> i) & 1) === 1)
      .map(({ uuid, memoryMib }) =>
        kind.isFraction
          ? {
              uuid,
              whole: false,
              milli: milliOn(kind, memoryMib),
              memoryMib: cardMemoryOn(kind, memoryMib),
            }
          : { uuid, whole: true, milli: gpuMilliWhole, memoryMib },
      );
  }

  #warm(id: string): { node: number; discount: number } | undefined {
    const node = this.books.slotOf(id);
    return node === undefined ? undefined : { node, discount: warmDiscount };
  }

  #ownerOf(namespace: string): number {
    const known = this.#namespaces.get(namespace);
    if (known !== undefined) return known;
    this.#namespaces.set(namespace, this.#namespaces.size);
    return this.#namespaces.size - 1;
  }

  #modelMask(models: readonly string[]): number {
    let mask = 0;
    for (const model of models) {
      const i = this.books.models.indexOf(model);
      mask |= i < 0 ? unknownModel : 1 << i;
    }
    return mask;
  }
}
