// `bench placement-speed`: the time of one decision in a pool that is 92 % full, and of a gang.
import { type Prng, prng } from "@voda/stdx";
import { decideGang } from "../src/placement/gang.ts";
import type { NodeSpec } from "../src/placement/node-spec.ts";
import { nodesMax } from "../src/placement/node-spec.ts";
import { Pool } from "../src/placement/pool.ts";
import type { PoolRequest } from "../src/placement/request.ts";
import { type Bench, BenchError, seedsOf, whole } from "./bench.ts";
import { adoptMixOf, nodesInOrderOf } from "./inflation.ts";
import type { Pod } from "./openb.ts";
import { quantile, round } from "./statistics.ts";
import { syntheticNodes, syntheticPods } from "./synthetic-trace.ts";
import { plotFlag, policiesOf, readTrace, requestOf, traceFlags, writePlot } from "./trace-files.ts";

/** Part of the GPUs that are allocated while decisions are timed. */
const FULL_PART = 0.92;
const GANG_MEMBERS = 64;
/** Each shape of member is new to the pool once; the others come again, as jobs do. */
const GANGS = 400;
/** Gangs between new prices, after which every cost is void. */
const GANGS_PER_ADOPT = 100;

export const placementSpeed: Bench = {
  name: "placement-speed",
  summary: "time of one decision at 92 percent full, one departure and one arrival per step; time of a gang of 64",
  flags: [
    { name: "nodes", kind: "whole", description: "nodes; the list is repeated until there are so many", default: 10_917 },
    ...traceFlags
      .filter(({ name }) => name !== "nodes")
      .map((flag) =>
        flag.name === "pods" ? { ...flag, description: "pod list (openb CSV); empty: a synthetic mix", default: "" } : flag,
      )
      .map((flag) => (flag.name === "policies" ? { ...flag, default: "bpf" } : flag))
      .map((flag) => (flag.name === "seeds" ? { ...flag, default: "1" } : flag)),
    { name: "node-list", kind: "text", description: "node list to repeat (openb CSV); empty: synthetic shapes", default: "" },
    plotFlag,
    { name: "decisions", kind: "whole", description: "arrivals; the second half is timed", default: 20_000 },
  ],
  run: async ({ values, say }) => {
    const count = whole(values, "nodes");
    if (count < 1 || count > nodesMax) throw new BenchError(`--nodes ${count} is not from 1 to nodesMax ${nodesMax}`);
    const hasFiles = values["pods"] !== "" && values["node-list"] !== "";
    const trace = hasFiles
      ? readTrace({ ...values, nodes: values["node-list"] ?? "" })
      : { nodes: syntheticNodes(), pods: syntheticPods() };
    const nodes = repeated(trace.nodes, count);
    const figures: Record<string, unknown> = {};
    const curves = new Map<string, readonly (readonly [number, number])[]>();
    for (const policy of policiesOf(values)) {
      for (const seed of seedsOf(values)) {
        const pool = new Pool({ nodes: nodesInOrderOf(nodes, seed), policy, seed });
        adoptMixOf(pool, trace.pods);
        const { timed, curve } = steady(pool, trace.pods, { chance: prng(seed), decisions: whole(values, "decisions") });
        curves.set(policy, curve);
        const gangMs = timeGangs(pool);
        figures[policy] = { usPerDecision: timed, gangOf64Ms: gangMs, nodes: count, sessions: pool.sessions.size };
        say(
          `${policy} ${count} nodes, ${pool.sessions.size} sessions: ${JSON.stringify(timed)} µs, gang ${JSON.stringify(gangMs)} ms`,
        );
      }
    }
    writePlot(values, {
      title: `Time of one decision, ${count} nodes`,
      xLabel: "percent of the decisions",
      yLabel: "µs",
      lines: [...curves].map(([name, points]) => ({ name, points })),
    });
    const usPerDecision = (figures["bpf"] as { usPerDecision?: unknown } | undefined)?.usPerDecision;
    return { figures: { ...(usPerDecision !== undefined && { usPerDecision }), policies: figures } };
  },
};

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
}

interface Timed {
  readonly timed: Readonly<Record<string, number>>;
  readonly curve: readonly (readonly [number, number])[];
}

/** Fills the pool, then lets random sessions go and new ones come; `decide` is timed, and the catching up between two. */
function steady(pool: Pool, pods: readonly Pod[], { chance, decisions }: Load): Timed {
  const target = FULL_PART * pool.books.capacityMilli;
  const live: string[] = [];
  let sessions = 0;
  const next = (): PoolRequest => requestOf(chance.pick(pods), String(sessions++));
  for (let misses = 0; pool.books.usedMilli < target && misses < 1000; ) {
    const request = next();
    if ("reason" in pool.place(request)) misses += 1;
    else live.push(request.session);
  }
  const micros = new Float64Array(decisions);
  let catchUpMicros = 0;
  for (let i = 0; i < decisions; i++) {
    while (pool.books.usedMilli > target && live.length > 0) {
      const at = chance.below(live.length);
      const [gone, last] = [live[at], live.at(-1)];
      if (gone === undefined || last === undefined) break;
      live[at] = last;
      live.pop();
      pool.release(gone);
    }
    const request = next();
    const started = performance.now();
    const plan = pool.decide(request);
    micros[i] = (performance.now() - started) * 1000;
    if (plan.kind === "plan" && pool.commit(plan) !== "stale") live.push(request.session);
    pool.arrived(request);
    const between = performance.now();
    pool.ranking.catchUp();
    catchUpMicros += (performance.now() - between) * 1000;
    if (i === decisions >> 2) pool.adopt();
  }
  const sorted = micros.subarray(decisions >> 1).toSorted();
  const mean = sorted.reduce((sum, one) => sum + one, 0) / sorted.length;
  const at = (part: number): number => round(quantile(sorted, part));
  const timed = {
    mean: round(mean),
    p50: at(0.5),
    p99: at(0.99),
    p999: at(0.999),
    max: at(1),
    catchUpMean: round(catchUpMicros / decisions),
  };
  return { timed, curve: Array.from({ length: 1000 }, (_, i) => [i / 10, at(i / 1000)] as const) };
}

/** Members of 1 to 8 GPUs and 1 to 3 cores, in turns. */
function timeGangs(pool: Pool): Record<string, number | Record<string, number>> {
  const all: number[] = [];
  const undisturbed: number[] = [];
  let placed = 0;
  for (let i = 0; i < GANGS; i++) {
    if (i % GANGS_PER_ADOPT === GANGS_PER_ADOPT >> 1) pool.adopt();
    const members = gangOf({ count: 1 + (i % 8), cores: 1 + ((i >> 3) % 3) });
    const switches = descheduled();
    const started = performance.now();
    const { kind } = decideGang(pool, members);
    const millis = performance.now() - started;
    all.push(millis);
    if (descheduled() === switches) undisturbed.push(millis);
    if (kind === "gang") placed += 1;
  }
  return { ...timesOf(all), placed, of: GANGS, undisturbed: { ...timesOf(undisturbed), of: undisturbed.length } };
}

function gangOf({ count, cores }: { readonly count: number; readonly cores: number }): readonly PoolRequest[] {
  const gpu = { kind: "whole", count, memoryMib: 0 } as const;
  const resources = { cpuMilli: cores * 1000, memoryMib: 1024, gpu };
  return Array.from({ length: GANG_MEMBERS }, (_, i) => ({ session: `gang-${i}`, namespace: "bench", resources }));
}

/** How often another process took the core. */
function descheduled(): number {
  return process.resourceUsage().involuntaryContextSwitches;
}

function timesOf(millis: readonly number[]): Record<string, number> {
  const sorted = millis.toSorted((a, b) => a - b);
  return { p50: round(quantile(sorted, 0.5)), p99: round(quantile(sorted, 0.99)), max: round(quantile(sorted, 1)) };
}
