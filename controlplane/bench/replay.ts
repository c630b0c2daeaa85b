// Replays the trace's own creations and lifetimes. What fits nowhere waits: on every departure the queue is
// tried in the order of arrival, and later pods may go before earlier ones that still do not fit.

import { BenchError, quantile } from "@voda/stdx/bench";
import type { PolicyName } from "../src/placement/policies.ts";
import { Pool } from "../src/placement/pool.ts";
import type { PoolRequest } from "../src/placement/request.ts";
import { EventQueue } from "./event-queue.ts";
import { nodesInOrderOf } from "./inflation.ts";
import type { Pod } from "./openb.ts";
import { demandOf, requestOf, type Trace } from "./trace-files.ts";

/** `allocatedPct` is over the time from the first creation to the last. */
export interface ReplayRun {
  /** Of the pods that were placed; 0 for those that did not wait. */
  readonly waitSecondsP50: number;
  readonly waitSecondsP95: number;
  readonly waitSecondsMean: number;
  readonly allocatedPct: number;
  /** Pods that no node could take even empty, or that were still waiting at the end. */
  readonly unplaced: number;
}

/** One run; `seed` also orders the nodes. */
export interface ReplayOptions {
  readonly policy: PolicyName;
  readonly seed: number;
  /**
   * Compresses the time between creations until the demand is this part of the GPUs; `undefined`: as
   * recorded.
   */
  readonly load: number | undefined;
  /** Told the seconds since the first creation and the unallocated GPU percent, at every creation. */
  readonly sample?: (atSeconds: number, unallocatedPct: number) => void;
}

/** Times in seconds. */
interface Visit {
  readonly request: PoolRequest;
  /** Requests of one kind fit or fail together. */
  readonly kind: string;
  readonly at: number;
  readonly lifetime: number;
}

/** A lifetime begins with the placement: who waits leaves later. */
export function replay({ nodes, pods }: Trace, { policy, seed, load, sample }: ReplayOptions): ReplayRun {
  const pool = new Pool({ nodes: nodesInOrderOf(nodes, seed), policy, seed });
  const visits = visitsOf(pods, { load, capacityMilli: pool.books.capacityMilli });
  const departures = new EventQueue<string>();
  const waits: number[] = [];
  const waiting = new WaitingLine();
  let area = 0;
  const first = visits[0]?.at ?? 0;
  let last = first;
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
      if (!hasMoreNow) waiting.retry((visit) => mayFit(pool, visit.request) && start(visit, last));
    }
  };
  for (const visit of visits) {
    depart(visit.at);
    advance(visit.at);
    if (pool.isAdoptDue()) pool.adopt();
    if (!start(visit, visit.at)) waiting.add(visit);
    sample?.(visit.at - first, 100 - (pool.books.usedMilli / pool.books.capacityMilli) * 100);
  }
  const end = visits.at(-1)?.at ?? 0;
  const allocatedPct = (area / Math.max(1, end - first) / pool.books.capacityMilli) * 100;
  depart(Number.POSITIVE_INFINITY);
  const sorted = waits.toSorted((a, b) => a - b);
  const mean = waits.reduce((sum, one) => sum + one, 0) / Math.max(1, waits.length);
  return {
    waitSecondsP50: quantile(sorted, 0.5),
    waitSecondsP95: quantile(sorted, 0.95),
    waitSecondsMean: mean,
    allocatedPct,
    unplaced: waiting.length(),
  };
}

/** Cheaper than a refusal with its reasons. */
function mayFit(pool: Pool, request: PoolRequest): boolean {
  const kind = pool.kindOf(request);
  return typeof kind !== "string" && pool.nodeFor(request, kind) !== undefined;
}

/**
 * Who waits, in the order of arrival; kept per kind, so that a pass costs a try per kind, however long the
 * line is.
 */
class WaitingLine {
  readonly #kinds = new Map<
    string,
    { readonly visits: { readonly visit: Visit; readonly order: number }[]; taken: number }
  >();
  #added = 0;
  #left = 0;

  add(visit: Visit): void {
    const line = this.#kinds.get(visit.kind) ?? { visits: [], taken: 0 };
    this.#kinds.set(visit.kind, line);
    line.visits.push({ visit, order: this.#added++ });
  }

  /** One try per kind and pass: what does not fit now does not fit for the next of its kind either. */
  retry(start: (visit: Visit) => boolean): void {
    const heads = new EventQueue<string>();
    for (const [kind, { visits, taken }] of this.#kinds) heads.add(visits[taken]?.order ?? 0, kind);
    for (let next = heads.takeUntil(this.#added); next !== undefined; next = heads.takeUntil(this.#added)) {
      const line = this.#kinds.get(next.item);
      const head = line?.visits[line.taken];
      if (line === undefined || head === undefined || !start(head.visit)) continue;
      line.taken += 1;
      this.#left += 1;
      const following = line.visits[line.taken];
      if (following === undefined) this.#kinds.delete(next.item);
      else heads.add(following.order, next.item);
    }
  }

  length(): number {
    return this.#added - this.#left;
  }
}

/**
 * Copies of the trace, one after the other: one copy asks for no more than all GPUs even if nothing ever
 * ends.
 */
const copies = 4;
/** Halvings of the compression that is looked for: far below the length of a lifetime. */
const halvings = 60;

interface Load {
  readonly load: number | undefined;
  readonly capacityMilli: number;
}

function visitsOf(pods: readonly Pod[], { load, capacityMilli }: Load): readonly Visit[] {
  const recorded = pods.map((pod) => {
    if (pod.createdAt === undefined || pod.deletedAt === undefined) {
      throw new BenchError(
        `pod ${pod.name} has no creation_time or deletion_time; this list cannot be replayed`,
      );
    }
    const { cpuMilli, memoryMib, gpuCount, gpuMilli, models } = pod;
    const kind = [cpuMilli, memoryMib, gpuCount, gpuMilli, ...models].join("|");
    const lifetime = pod.deletedAt - pod.createdAt;
    return { request: requestOf(pod, pod.name), kind, at: pod.createdAt, lifetime, demand: demandOf(pod) };
  });
  recorded.sort((a, b) => a.at - b.at);
  if (load === undefined) return recorded;
  const first = recorded[0]?.at ?? 0;
  const span = Math.max(1, (recorded.at(-1)?.at ?? 0) - first);
  const visits = Array.from({ length: copies }, (_, copy) =>
    recorded.map((visit) => ({
      ...visit,
      request: { ...visit.request, session: `${visit.request.session}/${copy}` },
      at: visit.at - first + copy * span,
    })),
  ).flat();
  const compression = compressionFor(visits, { span: copies * span, demand: load * capacityMilli });
  return visits.map((visit) => ({ ...visit, at: visit.at * compression }));
}

interface Target {
  readonly span: number;
  readonly demand: number;
}

/**
 * The factor on times of creation at which the demand of the second half of the replay is the wanted one on
 * average.
 */
function compressionFor(
  visits: readonly (Visit & { readonly demand: number })[],
  { span, demand }: Target,
): number {
  const demandAt = (compression: number): number => {
    const [from, to] = [(span * compression) / 2, span * compression];
    const overlap = (at: number, lifetime: number): number =>
      Math.max(0, Math.min(to, at + lifetime) - Math.max(from, at));
    const sum = visits.reduce(
      (total, { at, lifetime, demand: one }) => total + one * overlap(at * compression, lifetime),
      0,
    );
    return sum / (to - from);
  };
  let [low, high] = [1e-9, 1];
  for (let i = 0; i < halvings; i++) {
    // Geometric: the factor is looked for over nine powers of ten.
    const middle = Math.sqrt(low * high);
    if (demandAt(middle) > demand) low = middle;
    else high = middle;
  }
  return high;
}
