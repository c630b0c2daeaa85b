// The loss model: Poisson arrivals drawn from a trace, exponential lifetimes; a pod that fits nowhere is lost.
import { prng } from "@voda/stdx";
import { applyRoom, planRoom } from "../src/placement/make-room.ts";
import type { PolicyName } from "../src/placement/policies.ts";
import { Pool } from "../src/placement/pool.ts";
import { EventQueue } from "./event-queue.ts";
import { nodesInOrderOf } from "./inflation.ts";
import { demandOf, requestOf, type Trace } from "./trace-files.ts";

const SAMPLE_EVERY = 500;

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

export interface ChurnRun {
  readonly allocatedPct: number;
  readonly rejectedDemandPct: number;
  /** Of the pods that ask for more than one GPU. */
  readonly bigRejectedPct: number;
  readonly movesPer100: number;
}

/** Streams of arrivals depend on the seed alone: all policies get the same. The pool learns the mix from its arrivals. */
export function churn({ nodes, pods }: Trace, options: ChurnOptions): ChurnRun {
  const { policy, seed, load, movesMax, movable, arrivals, warmUp } = options;
  const pool = new Pool({ nodes: nodesInOrderOf(nodes, seed), policy, seed });
  const chance = prng(seed * 104_729 + 1);
  const movableChance = prng(seed * 77 + 5);
  const meanDemand = pods.reduce((sum, pod) => sum + demandOf(pod), 0) / pods.length;
  const arrivalsPerLifetime = (load * pool.books.capacityMilli) / meanDemand;
  const exponential = (): number => -Math.log(1 - chance.next());
  const departures = new EventQueue<string>();
  const usage = { area: 0, time: 0, last: 0 };
  const count = { demand: 0, rejected: 0, big: 0, bigRejected: 0, moves: 0 };
  let now = 0;
  for (let i = 0; i < arrivals; i++) {
    const isCounted = i >= warmUp;
    now += exponential() / arrivalsPerLifetime;
    const advance = (to: number): void => {
      if (isCounted) {
        usage.area += pool.books.usedMilli * (to - usage.last);
        usage.time += to - usage.last;
      }
      usage.last = to;
    };
    for (let gone = departures.takeUntil(now); gone !== undefined; gone = departures.takeUntil(now)) {
      advance(gone.at);
      pool.release(gone.item);
    }
    advance(now);
    if (i % SAMPLE_EVERY === 0) options.sample(i, 100 - (pool.books.usedMilli / pool.books.capacityMilli) * 100);
    const pod = chance.pick(pods);
    const lifetime = exponential();
    const request = requestOf(pod, String(i), movableChance.chance(movable));
    if (pool.isAdoptDue()) pool.adopt();
    let placed = pool.place(request);
    if ("reason" in placed && movesMax > 0) {
      const mayLeave = ({ request }: { readonly request: { readonly isMovable?: boolean } }): boolean =>
        request.isMovable === true;
      const room = planRoom(pool, request, { how: "move", mayLeave, most: movesMax });
      const made = room === undefined ? "stale" : applyRoom(pool, room);
      if (made !== "stale") placed = made;
      if (isCounted && made !== "stale") count.moves += room?.leaving.length ?? 0;
    }
    const isPlaced = !("reason" in placed);
    if (isPlaced) departures.add(now + lifetime, request.session);
    if (!isCounted) continue;
    count.demand += demandOf(pod);
    if (!isPlaced) count.rejected += demandOf(pod);
    if (pod.gpuCount > 1) count.big += 1;
    if (pod.gpuCount > 1 && !isPlaced) count.bigRejected += 1;
  }
  return {
    allocatedPct: (usage.area / usage.time / pool.books.capacityMilli) * 100,
    rejectedDemandPct: (count.rejected / count.demand) * 100,
    bigRejectedPct: (count.bigRejected / Math.max(1, count.big)) * 100,
    movesPer100: (count.moves / (arrivals - warmUp)) * 100,
  };
}
