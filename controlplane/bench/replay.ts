// Replays the trace's own creations and lifetimes. What fits nowhere waits: on every departure the queue is tried in the
// order of arrival, and later pods may go before earlier ones that still do not fit.
import type { PolicyName } from "../src/placement/policies.ts";
import { Pool } from "../src/placement/pool.ts";
import type { PoolRequest } from "../src/placement/request.ts";
import { BenchError } from "./bench.ts";
import { EventQueue } from "./event-queue.ts";
import { nodesInOrderOf } from "./inflation.ts";
import type { Pod } from "./openb.ts";
import { quantile } from "./statistics.ts";
import { demandOf, requestOf, type Trace } from "./trace-files.ts";

export interface ReplayRun {
  /** Of the pods that were placed; 0 for those that did not wait. */
  readonly waitSecondsP50: number;
  readonly waitSecondsP95: number;
  readonly waitSecondsMean: number;
  readonly allocatedPct: number;
  /** Pods that no node could take even empty, or that were still waiting at the end. */
  readonly unplaced: number;
}

export interface ReplayOptions {
  readonly policy: PolicyName;
  readonly seed: number;
  /** Compresses the time between creations until the demand is this part of the GPUs; `undefined`: as recorded. */
  readonly load: number | undefined;
}

interface Visit {
  readonly request: PoolRequest;
  readonly at: number;
  readonly lifetime: number;
}

export function replay({ nodes, pods }: Trace, { policy, seed, load }: ReplayOptions): ReplayRun {
  const pool = new Pool({ nodes: nodesInOrderOf(nodes, seed), policy, seed });
  const visits = visitsOf(pods, { load, capacityMilli: pool.books.capacityMilli });
  const departures = new EventQueue<string>();
  const waits: number[] = [];
  let waiting: Visit[] = [];
  let area = 0;
  let last = visits[0]?.at ?? 0;
  const advance = (to: number): void => {
    area += pool.books.usedMilli * (to - last);
    last = to;
  };
  const start = (visit: Visit, now: number): boolean => {
    if ("reason" in pool.place(visit.request)) return false;
    waits.push(now - visit.at);
    departures.add(now + visit.lifetime, visit.request.session);
    return true;
  };
  const depart = (until: number): void => {
    for (let gone = departures.takeUntil(until); gone !== undefined; gone = departures.takeUntil(until)) {
      advance(gone.at);
      pool.release(gone.item);
      const hasMoreNow = departures.next()?.at === gone.at;
      if (!hasMoreNow && waiting.length > 0) waiting = retry(pool, waiting, (visit) => start(visit, last));
    }
  };
  for (const visit of visits) {
    depart(visit.at);
    advance(visit.at);
    if (pool.isAdoptDue()) pool.adopt();
    if (!start(visit, visit.at)) waiting.push(visit);
  }
  const end = visits.at(-1)?.at ?? 0;
  const allocatedPct = (area / Math.max(1, end - (visits[0]?.at ?? 0)) / pool.books.capacityMilli) * 100;
  depart(Number.POSITIVE_INFINITY);
  const sorted = waits.toSorted((a, b) => a - b);
  const mean = waits.reduce((sum, one) => sum + one, 0) / Math.max(1, waits.length);
  return {
    waitSecondsP50: quantile(sorted, 0.5),
    waitSecondsP95: quantile(sorted, 0.95),
    waitSecondsMean: mean,
    allocatedPct,
    unplaced: waiting.length,
  };
}

/** One try per kind and pass: what does not fit now does not fit for the next of its kind either. */
function retry(pool: Pool, waiting: readonly Visit[], start: (visit: Visit) => boolean): Visit[] {
  const hopeless = new Set<number>();
  return waiting.filter((visit) => {
    const shape = pool.shapeOf(visit.request);
    if (typeof shape === "string" || hopeless.has(shape.index)) return true;
    if (pool.nodeFor(visit.request, shape) !== undefined && start(visit)) return false;
    hopeless.add(shape.index);
    return true;
  });
}

/** Copies of the trace, one after the other: one copy asks for no more than all GPUs even if nothing ever ends. */
const COPIES = 4;
/** Halvings of the compression that is looked for: far below the length of a lifetime. */
const HALVINGS = 60;

interface Load {
  readonly load: number | undefined;
  readonly capacityMilli: number;
}

function visitsOf(pods: readonly Pod[], { load, capacityMilli }: Load): readonly Visit[] {
  const recorded = pods.map((pod) => {
    if (pod.createdAt === undefined || pod.deletedAt === undefined) {
      throw new BenchError(`pod ${pod.name} has no creation_time or deletion_time; this list cannot be replayed`);
    }
    const lifetime = pod.deletedAt - pod.createdAt;
    return { request: requestOf(pod, pod.name), at: pod.createdAt, lifetime, demand: demandOf(pod) };
  });
  recorded.sort((a, b) => a.at - b.at);
  if (load === undefined) return recorded;
  const first = recorded[0]?.at ?? 0;
  const span = Math.max(1, (recorded.at(-1)?.at ?? 0) - first);
  const visits = Array.from({ length: COPIES }, (_, copy) =>
    recorded.map((visit) => ({
      ...visit,
      request: { ...visit.request, session: `${visit.request.session}/${copy}` },
      at: visit.at - first + copy * span,
    })),
  ).flat();
  const compression = compressionFor(visits, { span: COPIES * span, demand: load * capacityMilli });
  return visits.map((visit) => ({ ...visit, at: visit.at * compression }));
}

interface Target {
  readonly span: number;
  readonly demand: number;
}

/** The factor on times of creation at which the demand of the second half of the replay is the wanted one on average. */
function compressionFor(visits: readonly (Visit & { readonly demand: number })[], { span, demand }: Target): number {
  const demandAt = (compression: number): number => {
    const [from, to] = [(span * compression) / 2, span * compression];
    const overlap = (at: number, lifetime: number): number => Math.max(0, Math.min(to, at + lifetime) - Math.max(from, at));
    const sum = visits.reduce((total, { at, lifetime, demand }) => total + demand * overlap(at * compression, lifetime), 0);
    return sum / (to - from);
  };
  let [low, high] = [1e-9, 1];
  for (let i = 0; i < HALVINGS; i++) {
    const middle = Math.sqrt(low * high);
    if (demandAt(middle) > demand) low = middle;
    else high = middle;
  }
  return high;
}
