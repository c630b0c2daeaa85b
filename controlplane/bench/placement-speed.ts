// `bench placement-speed`: the time of one decision in a pool that is 92 % full, and of a gang.
import { type Prng, prng } from "@voda/stdx";
import { type Bench, BenchError, progressReporter, quantile, seedsOf, text, whole } from "@voda/stdx/bench";
import type { NodeSpec } from "../src/placement/node-spec.ts";
import { nodesMax } from "../src/placement/node-spec.ts";
import type { PolicyName } from "../src/placement/policies.ts";
import { Pool } from "../src/placement/pool.ts";
import type { PoolRequest } from "../src/placement/request.ts";
import { type GangFigures, gangFigures, timeGangs } from "./gang-speed.ts";
import { adoptMixOf, nodesInOrderOf } from "./inflation.ts";
import type { Pod } from "./openb.ts";
import { plotFlag, plotOf } from "./plot-file.ts";
import { merged, round } from "./statistics.ts";
import { syntheticNodes, syntheticPods } from "./synthetic-trace.ts";
import { textTable } from "./text-table.ts";
import { policiesOf, readNodes, readPods, requestOf, type Trace } from "./trace-files.ts";

/** Part of the GPUs that are allocated while decisions are timed. */
const fullPart = 0.92;
/** What is timed is kept in memory, eight bytes each, and sorted. */
const decisionsMax = 1_000_000;
/** Of the chart. */
const pointCount = 1000;

/** Times one decision in this process, without a mesh and without its commit, at 92 % full. */
export const placementSpeed: Bench = {
  name: "placement-speed",
  summary:
    "time of one decision at 92 percent full, one departure and one arrival per step; time of a gang of 64",
  flags: [
    {
      name: "nodes",
      type: "whole",
      least: 1,
      most: nodesMax,
      description: "nodes; the list is repeated until there are so many",
      default: 10_917,
    },
    {
      name: "node-list",
      type: "text",
      description: "node list to repeat (openb CSV); empty: synthetic shapes",
      default: "",
    },
    { name: "pods", type: "text", description: "pod list (openb CSV); empty: a synthetic mix", default: "" },
    {
      name: "policies",
      type: "text",
      description: "with commas between; the first is told at the top",
      default: "bpf",
    },
    { name: "seeds", type: "text", description: "with commas between; each is one run", default: "1" },
    {
      name: "decisions",
      type: "whole",
      least: 2,
      most: decisionsMax,
      description: "arrivals of one run; the second half is timed",
      default: 20_000,
    },
    plotFlag,
  ],
  run: async ({ values, say }) => {
    const sizes: Sizes = { nodes: whole(values, "nodes"), decisions: whole(values, "decisions") };
    const [policies, seeds, plot] = [policiesOf(values), seedsOf(values), plotOf(values)];
    const [nodeList, podList] = [text(values, "node-list"), text(values, "pods")];
    const nodes = repeated(nodeList === "" ? syntheticNodes() : readNodes(nodeList), sizes.nodes);
    const pods = podList === "" ? syntheticPods() : readPods(podList);
    const timed = new Map(
      policies.map((policy) => [policy, timePolicy({ nodes, pods }, { policy, seeds, ...sizes, say })]),
    );
    const figures = Object.fromEntries([...timed].map(([policy, { figures: of }]) => [policy, of]));
    plot.draw({
      title: `Time of one decision, ${sizes.nodes} nodes, 92 % full`,
      xLabel: "decisions that took no longer, %",
      yLabel: "µs",
      lines: [...timed].map(([name, { curve }]) => ({ name, points: curve })),
    });
    const usPerDecision = [...timed.values()][0]?.figures.usPerDecision;
    return { figures: { usPerDecision, policies: figures }, table: tableOf(figures) };
  },
};

interface Sizes {
  readonly nodes: number;
  readonly decisions: number;
}

interface PolicyRuns extends Sizes {
  readonly policy: PolicyName;
  readonly seeds: readonly number[];
  readonly say: (line: string) => void;
}

/** In microseconds or milliseconds, as the names say. */
interface SpeedFigures {
  readonly usPerDecision: Readonly<Record<"mean" | "p50" | "p99" | "p999" | "max" | "catchUpMean", number>>;
  readonly gangOf64Ms: GangFigures;
  readonly nodes: number;
  /** Of the last run, at its end. */
  readonly sessions: number;
}

interface TimedPolicy {
  readonly figures: SpeedFigures;
  /** Percentiles: percent, µs. */
  readonly curve: readonly (readonly [number, number])[];
}

/** All runs of one policy together. */
function timePolicy(
  { nodes, pods }: Trace,
  { policy, seeds, nodes: count, decisions, say }: PolicyRuns,
): TimedPolicy {
  const report = progressReporter(say);
  const runs = seeds.map((seed, i) => {
    const pool = new Pool({ nodes: nodesInOrderOf(nodes, seed), policy, seed });
    adoptMixOf(pool, pods);
    const run = `${policy}: seed ${seed}, ${i + 1} of ${seeds.length}`;
    const at = (doing: string, part: number): void =>
      report(() => `${run}, ${doing}, ${Math.floor(part * 100)} %`);
    return {
      ...steady(pool, pods, { chance: prng(seed), decisions, at }),
      gangs: timeGangs(pool),
      sessions: pool.sessions.size,
    };
  });
  const micros = merged(runs.map((run) => run.micros));
  const mean = (values: Float64Array): number => values.reduce((sum, one) => sum + one, 0) / values.length;
  const part = (of: number): number => round(quantile(micros, of));
  const figures = {
    usPerDecision: {
      mean: round(mean(micros)),
      p50: part(0.5),
      p99: part(0.99),
      p999: part(0.999),
      max: part(1),
      catchUpMean: round(mean(Float64Array.from(runs.map((run) => run.catchUpMean)))),
    },
    gangOf64Ms: gangFigures(runs.map((run) => run.gangs)),
    nodes: count,
    sessions: runs.at(-1)?.sessions ?? 0,
  };
  const { p50, p99, p999 } = figures.usPerDecision;
  say(
    `${policy.padEnd(14)} ${count} nodes, ${figures.sessions} sessions: p50 ${p50} µs  p99 ${p99} µs  p99.9 ${p999} µs`,
  );
  return {
    figures,
    curve: Array.from(
      { length: pointCount },
      (_, i) => [(i * 100) / pointCount, part(i / pointCount)] as const,
    ),
  };
}

function tableOf(figures: Readonly<Record<string, SpeedFigures>>): string {
  const rows = Object.entries(figures).map(([policy, { usPerDecision, gangOf64Ms, nodes, sessions }]) => [
    policy,
    String(nodes),
    String(sessions),
    ...[usPerDecision.p50, usPerDecision.p99, usPerDecision.p999].map((micros) => micros.toFixed(1)),
    gangOf64Ms.p50.toFixed(2),
    gangOf64Ms.p99.toFixed(2),
  ]);
  return textTable([
    ["POLICY", "NODES", "SESSIONS", "P50 µs", "P99 µs", "P99.9 µs", "GANG OF 64 P50 ms", "P99 ms"],
    ...rows,
  ]);
}

/** Ids are made new: the books take each once. */
function repeated(nodes: readonly NodeSpec[], count: number): readonly NodeSpec[] {
  return Array.from({ length: count }, (_, i) => {
    const spec = nodes[i % nodes.length];
    if (spec === undefined) throw new BenchError("the node list is empty");
    const gpus = spec.gpus.map((gpu) => ({ ...gpu, uuid: `${i}/${gpu.uuid}` }));
    return { ...spec, id: `${spec.id}/${Math.floor(i / nodes.length)}`, gpus };
  });
}

interface Load {
  readonly chance: Prng;
  readonly decisions: number;
  /** Told often what is being done, and the part of it that is done. */
  readonly at: (doing: string, part: number) => void;
}

interface Timed {
  /** Of the second half of the decisions: by then prices and kept costs are those of a full pool. */
  readonly micros: Float64Array;
  /** Microseconds, over all decisions. */
  readonly catchUpMean: number;
}

/**
 * Fills the pool, then lets random sessions go and new ones come; `decide` is timed, and the catching up
 * between two.
 */
function steady(pool: Pool, pods: readonly Pod[], { chance, decisions, at }: Load): Timed {
  const target = fullPart * pool.books.capacityMilli;
  const live: string[] = [];
  let sessions = 0;
  const next = (): PoolRequest => requestOf(chance.pick(pods), String(sessions++));
  // A mix may hold requests that no node takes: 1,000 refusals end the filling.
  for (let misses = 0; pool.books.usedMilli < target && misses < 1000; ) {
    const request = next();
    if ("reason" in pool.place(request)) misses += 1;
    else live.push(request.session);
    at("filling", pool.books.usedMilli / target);
  }
  const micros = new Float64Array(decisions);
  let catchUpMicros = 0;
  for (let i = 0; i < decisions; i++) {
    while (pool.books.usedMilli > target && live.length > 0) releaseOne(pool, live, chance);
    const request = next();
    const started = performance.now();
    const plan = pool.decide(request);
    micros[i] = (performance.now() - started) * 1000;
    if (plan.type === "plan" && pool.commit(plan) !== "stale") live.push(request.session);
    pool.arrived(request);
    // No part of a decision: it is done between two.
    const between = performance.now();
    pool.ranking.catchUp();
    catchUpMicros += (performance.now() - between) * 1000;
    if (i === decisions >> 2) pool.adopt();
    at("deciding", i / decisions);
  }
  return { micros: micros.subarray(decisions >> 1), catchUpMean: catchUpMicros / decisions };
}

/** The order of the list means nothing: a splice would move all that follow. */
function releaseOne(pool: Pool, live: string[], chance: Prng): void {
  const at = chance.below(live.length);
  const [gone, last] = [live[at], live.pop()];
  if (gone === undefined || last === undefined) return;
  if (at < live.length) live[at] = last;
  pool.release(gone);
}
