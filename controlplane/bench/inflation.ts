// The inflation protocol of the FGD evaluation: arrivals until 1.3 times the capacity was asked for; nothing
// ever leaves.
import { gpuMilliWhole } from "@voda/proto/placement";
import { type Prng, prng } from "@voda/stdx";
import { BenchError } from "@voda/stdx/bench";
import type { NodeSpec } from "../src/placement/node-spec.ts";
import type { PolicyName } from "../src/placement/policies.ts";
import { Pool } from "../src/placement/pool.ts";
import type { Pod } from "./openb.ts";
import { shuffled } from "./statistics.ts";
import { demandOf, requestOf, type Trace } from "./trace-files.ts";

/** Demand that arrives, as a part of the GPUs there are. */
const arrivedMax = 1.3;
/** Refusals count as early before this part has arrived. */
const earlyPart = 0.95;
const reportEvery = 64;
const arrivalsMax = 5_000_000;

/** Figures of one run, which ends when the pods have asked for `arrivedMax` of the GPUs. */
export interface InflationRun {
  /** Unallocated GPU percent by arrived percent, mean over the events that round to it. */
  readonly unallocated: ReadonlyMap<number, number>;
  readonly refusedEarly: number;
  /** Of every decision, in the order of arrival. */
  readonly decisionMicros: Float64Array;
}

/** One run: a seed gives the same arrivals under any policy. */
export interface InflationOptions {
  readonly policy: PolicyName;
  readonly seed: number;
  /** Without: the policy knows the trace's mix from the start. */
  readonly isLearning: boolean;
  /** Told the part of the run that is over, often. */
  readonly report?: (part: number) => void;
}

/**
 * The experiment of the FGD paper (USENIX ATC '23): pods of the trace arrive, none leaves, until they have
 * asked for `arrivedMax` of the GPUs.
 */
export function inflate(
  { nodes, pods }: Trace,
  { policy, seed, isLearning, report }: InflationOptions,
): InflationRun {
  const pool = new Pool({ nodes: nodesInOrderOf(nodes, seed), policy, seed });
  if (!isLearning) adoptMixOf(pool, pods);
  const chance = prng(seed * 7919 + 13);
  const arrivals = workload(pods, chance, pool.books.capacityMilli);
  const decisionMicros = new Float64Array(arrivals.length);
  const sums = new Map<number, { sum: number; events: number }>();
  let arrived = 0;
  let refusedEarly = 0;
  for (const [i, pod] of arrivals.entries()) {
    if (i % reportEvery === 0) report?.(i / arrivals.length);
    const request = requestOf(pod, String(i));
    arrived += demandOf(pod);
    pool.arrived(request);
    if (pool.isAdoptDue()) pool.adopt();
    const started = performance.now();
    const plan = pool.decide(request);
    decisionMicros[i] = (performance.now() - started) * 1000;
    if (plan.type === "plan") pool.commit(plan);
    else if (arrived < earlyPart * pool.books.capacityMilli) refusedEarly += 1;
    const percent = Math.round((arrived / pool.books.capacityMilli) * 100);
    const at = sums.get(percent) ?? { sum: 0, events: 0 };
    sums.set(percent, { sum: at.sum + pool.books.usedMilli, events: at.events + 1 });
  }
  const unallocated = new Map(
    [...sums].map(([percent, { sum, events }]) => [
      percent,
      100 - (sum / events / pool.books.capacityMilli) * 100,
    ]),
  );
  return { unallocated, refusedEarly, decisionMicros };
}

/** Ties go to the first node, so their order is a part of chance. */
export function nodesInOrderOf(nodes: readonly NodeSpec[], seed: number): readonly NodeSpec[] {
  return shuffled(nodes, prng(seed * 31 + 7));
}

/** Lets the policy know the mix of the trace before the first arrival. */
export function adoptMixOf(pool: Pool, pods: readonly Pod[]): void {
  for (const pod of pods) pool.expect(requestOf(pod, pod.name));
  pool.adopt();
}

/**
 * The trace in random order, then pods drawn from it; or, when the trace asks for too much, without random
 * ones of it.
 */
function workload(pods: readonly Pod[], chance: Prng, capacityMilli: number): readonly Pod[] {
  const sorted = pods.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const arrivals = [...shuffled(sorted, chance)];
  const source = [...arrivals];
  const demandMax = arrivedMax * capacityMilli;
  let demand = arrivals.reduce((sum, pod) => sum + demandOf(pod), 0);
  const expected = pods.length * Math.max(1, demandMax / demand);
  if (expected > arrivalsMax) {
    const asked = `the pods ask for ${(demand / pods.length / gpuMilliWhole).toPrecision(2)} GPUs on average`;
    throw new BenchError(
      `${asked}: ${Math.ceil(expected)} arrivals until ${arrivedMax * 100} % exceed arrivalsMax ${arrivalsMax}`,
    );
  }
  while (demand > demandMax) {
    const at = chance.below(arrivals.length);
    const [gone, last] = [arrivals[at], arrivals.pop()];
    if (gone === undefined || last === undefined) break;
    if (at < arrivals.length) arrivals[at] = last;
    demand -= demandOf(gone);
  }
  for (;;) {
    const pod = chance.pick(source);
    if (demand + demandOf(pod) > demandMax) return arrivals;
    demand += demandOf(pod);
    arrivals.push(pod);
  }
}
