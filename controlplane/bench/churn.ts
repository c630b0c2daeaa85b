// The loss model: Poisson arrivals drawn from a trace, exponential lifetimes; a pod that fits nowhere is
// lost.
import { prng } from "@voda/stdx";
import { applyRoom, planRoom } from "../src/placement/make-room.ts";
import type { PolicyName } from "../src/placement/policies.ts";
import { type Placed, Pool } from "../src/placement/pool.ts";
import type { PoolRequest } from "../src/placement/request.ts";
import { EventQueue } from "./event-queue.ts";
import { nodesInOrderOf } from "./inflation.ts";
import type { Pod } from "./openb.ts";
import { demandOf, requestOf, type Trace } from "./trace-files.ts";

/** Arrivals between two points of the chart. */
const sampleEvery = 500;

/** One run: a seed gives the same arrivals under any policy and with any `movable`. */
export interface ChurnOptions {
  readonly policy: PolicyName;
  readonly seed: number;
  /** Offered GPU demand as a part of the GPUs there are. */
  readonly load: number;
  /** Sessions that may move for one request that fits nowhere. */
  readonly movesMax: number;
  /** Part of the sessions that may move. */
  readonly movable: number;
  readonly arrivals: number;
  /** Arrivals before the first that counts. */
  readonly warmUp: number;
  /** Told the unallocated GPU percent now and then. */
  readonly sample: (arrived: number, unallocatedPct: number) => void;
}

/** Of the arrivals after the warm-up. */
export interface ChurnRun {
  readonly allocatedPct: number;
  readonly rejectedDemandPct: number;
  /** Of the pods that ask for more than one GPU. */
  readonly bigRejectedPct: number;
  readonly movesPer100: number;
}

/**
 * Streams of arrivals depend on the seed alone: all policies get the same. The pool learns the mix from its
 * arrivals.
 */
export function churn({ nodes, pods }: Trace, options: ChurnOptions): ChurnRun {
  const { policy, seed, load, movable, arrivals, warmUp } = options;
  const pool = new Pool({ nodes: nodesInOrderOf(nodes, seed), policy, seed });
  const chance = prng(seed * 104_729 + 1);
  // Its own stream, so that `movable` does not change which requests come.
  const movableChance = prng(seed * 77 + 5);
  const meanDemand = pods.reduce((sum, pod) => sum + demandOf(pod), 0) / pods.length;
  const arrivalsPerLifetime = (load * pool.books.capacityMilli) / meanDemand;
  const exponential = (): number => -Math.log(1 - chance.next());
  const departures = new EventQueue<string>();
  const movables = new Set<string>();
  const tally = new Tally(pool);
  let now = 0;
  for (let i = 0; i < arrivals; i++) {
    if (i === warmUp) tally.start(now);
    now += exponential() / arrivalsPerLifetime;
    for (let gone = departures.takeUntil(now); gone !== undefined; gone = departures.takeUntil(now)) {
      // Allocation is weighed by time: up to here with what was allocated before.
      tally.advance(gone.at);
      pool.release(gone.item);
    }
    tally.advance(now);
    if (i % sampleEvery === 0)
      options.sample(i, 100 - (pool.books.usedMilli / pool.books.capacityMilli) * 100);
    const pod = chance.pick(pods);
    // Drawn also for what is not placed: the next draws are then the same for all policies.
    const lifetime = exponential();
    const request = requestOf(pod, String(i));
    if (movableChance.chance(movable)) movables.add(request.session);
    if (pool.isAdoptDue()) pool.adopt();
    const moves = arrive(pool, request, { movables, movesMax: options.movesMax });
    if (moves !== undefined) departures.add(now + lifetime, request.session);
    tally.count(pod, moves);
  }
  return tally.result();
}

/** Moves that were made for it, or `undefined` when it is lost. */
function arrive(
  pool: Pool,
  request: PoolRequest,
  { movables, movesMax }: { readonly movables: ReadonlySet<string>; readonly movesMax: number },
): number | undefined {
  if (!("reason" in pool.place(request))) return 0;
  if (movesMax === 0) return undefined;
  const mayLeave = (placed: Placed): boolean => movables.has(placed.request.session);
  const room = planRoom(pool, request, { how: "move", mayLeave, most: movesMax });
  if (room === undefined || applyRoom(pool, room) === "stale") return undefined;
  return room.leaving.length;
}

/** What happened since the warm-up. */
class Tally {
  readonly #pool: Pool;
  #isCounting = false;
  #area = 0;
  #time = 0;
  #last = 0;
  #arrivals = 0;
  #demand = 0;
  #rejected = 0;
  #big = 0;
  #bigRejected = 0;
  #moves = 0;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  start(now: number): void {
    this.#isCounting = true;
    this.#last = now;
  }

  advance(to: number): void {
    if (!this.#isCounting) return;
    this.#area += this.#pool.books.usedMilli * (to - this.#last);
    this.#time += to - this.#last;
    this.#last = to;
  }

  count(pod: Pod, moves: number | undefined): void {
    if (!this.#isCounting) return;
    const isBig = pod.gpuCount > 1;
    this.#arrivals += 1;
    this.#demand += demandOf(pod);
    this.#big += isBig ? 1 : 0;
    this.#moves += moves ?? 0;
    if (moves !== undefined) return;
    this.#rejected += demandOf(pod);
    this.#bigRejected += isBig ? 1 : 0;
  }

  result(): ChurnRun {
    return {
      allocatedPct: (this.#area / this.#time / this.#pool.books.capacityMilli) * 100,
      rejectedDemandPct: (this.#rejected / Math.max(1, this.#demand)) * 100,
      bigRejectedPct: (this.#bigRejected / Math.max(1, this.#big)) * 100,
      movesPer100: (this.#moves / this.#arrivals) * 100,
    };
  }
}
