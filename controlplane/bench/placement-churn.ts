// `bench placement-churn`: what each policy rejects when sessions come and go, or how long it lets them wait.

import {
  type Bench,
  BenchError,
  type BenchResult,
  type BenchValues,
  decimal,
  progressReporter,
  seedsOf,
  text,
  whole,
} from "@voda/stdx/bench";
import type { PolicyName } from "../src/placement/policies.ts";
import { churn } from "./churn.ts";
import { floorPct } from "./floor.ts";
import { type Plot, plotFlag, plotOf } from "./plot-file.ts";
import { replay } from "./replay.ts";
import { TraceError } from "./rows.ts";
import { runsWords, type Spread, shownSpread, spreadOf } from "./statistics.ts";
import { textTable } from "./text-table.ts";
import { policiesOf, readTrace, type Trace, traceFlags } from "./trace-files.ts";
import { unplaceable } from "./unplaceable.ts";

/** A zero too many is refused, not run. */
const arrivalsMax = 10_000_000;
const loadDefault = 0.95;
/** As parts of the GPUs there are. */
const loads = { least: 0.01, most: 10 };

/** A loss model with drawn arrivals, or the trace as it was recorded, where what does not fit waits. */
export const placementChurn: Bench = {
  name: "placement-churn",
  summary:
    "sessions come and go at a load: allocated and rejected demand, moves; or a replay of the trace with a queue",
  flags: [
    ...traceFlags,
    {
      name: "load",
      type: "text",
      description:
        "offered GPU demand as a part of the GPUs; empty: 0.95, or as recorded with --lifetimes trace",
      default: "",
    },
    {
      name: "moves",
      type: "whole",
      description: "sessions that may move for one that fits nowhere",
      default: 0,
    },
    {
      name: "movable",
      type: "text",
      description: "part of the sessions that may move, 0 to 1",
      default: "1",
    },
    {
      name: "lifetimes",
      type: "text",
      description: "exponential, or trace: the trace's own times",
      default: "exponential",
    },
    {
      name: "arrivals",
      type: "whole",
      most: arrivalsMax,
      description: "arrivals of one run",
      default: 60_000,
    },
    { name: "warm-up", type: "whole", description: "arrivals that do not count", default: 20_000 },
    plotFlag,
  ],
  run: async (run) => {
    const { values, say } = run;
    const lifetimes = text(values, "lifetimes");
    if (lifetimes !== "exponential" && lifetimes !== "trace") {
      throw new BenchError(`--lifetimes "${lifetimes}" is neither exponential nor trace`);
    }
    const load = text(values, "load") === "" ? undefined : decimal(values, "load", loads);
    const sizes = { policies: policiesOf(values), seeds: seedsOf(values), plot: plotOf(values), say };
    if (lifetimes === "trace") {
      if (whole(values, "moves") > 0)
        throw new BenchError("--moves needs --lifetimes exponential: a replay moves nothing");
      return replays(timedTrace(values, say), { ...sizes, load });
    }
    // Only here: a replay has as many arrivals as its trace.
    const churning = { ...churnSizes(values), load: load ?? loadDefault };
    return churns(noted(readTrace(values), say), { ...sizes, ...churning });
  },
};

/** Says first what every policy must refuse: else a reader would put it down to one of them. */
function noted(trace: Trace, say: (line: string) => void): Trace {
  for (const line of unplaceable(trace)) say(line);
  return trace;
}

/** The multigpu lists of openb have no times. */
function timedTrace(values: BenchValues, say: (line: string) => void): Trace {
  const trace = readTrace(values);
  const at = trace.pods.findIndex((pod) => pod.createdAt === undefined || pod.deletedAt === undefined);
  if (at < 0) return noted(trace, say);
  const field = trace.pods[at]?.createdAt === undefined ? "creation_time" : "deletion_time";
  const name = trace.pods[at]?.name ?? "";
  throw new TraceError(
    `${text(values, "pods")}: line ${at + 2}: pod ${name} has no ${field}, which --lifetimes trace needs`,
  );
}

interface ChurnSizes {
  readonly arrivals: number;
  readonly warmUp: number;
  readonly movesMax: number;
  readonly movable: number;
}

function churnSizes(values: BenchValues): ChurnSizes {
  const [arrivals, warmUp, movesMax] = [
    whole(values, "arrivals"),
    whole(values, "warm-up"),
    whole(values, "moves"),
  ];
  if (warmUp >= arrivals)
    throw new BenchError(`--warm-up ${warmUp} leaves nothing of --arrivals ${arrivals}`);
  return { arrivals, warmUp, movesMax, movable: decimal(values, "movable", { least: 0, most: 1 }) };
}

/** All policies run with the same seeds, so that they see the same arrivals. */
interface Runs<Load> {
  readonly policies: readonly PolicyName[];
  readonly seeds: readonly number[];
  readonly plot: Plot;
  readonly say: (line: string) => void;
  readonly load: Load;
}

type Figures = Record<string, Record<string, Spread>>;
/** Told as a run goes on: where it is, and the GPU percent that is unallocated then. */
type Sample = (at: number, unallocatedPct: number) => void;

const timeUnits = [
  { name: "days", seconds: 86_400 },
  { name: "hours", seconds: 3_600 },
  { name: "minutes", seconds: 60 },
] as const;
/** Of the chart. */
const pointCount = 200;

/** With `load`, the trace is repeated and compressed until it asks for that much. */
function replays(trace: Trace, runs: Runs<number | undefined>): BenchResult {
  const { load, plot } = runs;
  const { figures, curves } = measure({ ...runs, unit: "s" }, (policy, seed, sample) => ({
    ...replay(trace, { policy, seed, load, sample }),
  }));
  const floor = floorPct(trace.pods);
  const end = [...curves.values()].flat().reduce((most, [at]) => Math.max(most, at), 1);
  const unit = timeUnits.find(({ seconds }) => end >= 3 * seconds) ?? { name: "seconds", seconds: 1 };
  const lines = [...curves].map(([name, samples]) => ({ name, points: binned(samples, unit.seconds) }));
  plot.draw({
    title: `Unallocated GPUs, replay of the trace ${load === undefined ? "as recorded" : `at load ${load}`}, ${seedsWords(runs)}`,
    xLabel: `${unit.name} since the first creation`,
    yLabel: "unallocated GPUs, %",
    lines: [...lines, floorLine(floor, end / unit.seconds)],
  });
  return { figures: { policies: figures }, table: tableOf(figures, floor) };
}

function churns(trace: Trace, runs: Runs<number> & ChurnSizes): BenchResult {
  const { load, plot, arrivals, warmUp, movesMax, movable } = runs;
  const { figures, curves } = measure({ ...runs, unit: "arrivals" }, (policy, seed, sample) => ({
    ...churn(trace, { policy, seed, load, movesMax, movable, arrivals, warmUp, sample }),
  }));
  // Below a load of 1 that part of the GPUs stays free under any policy.
  const floor = Math.max(100 - 100 * load, floorPct(trace.pods));
  plot.draw({
    title: `Unallocated GPUs, churn at load ${load}, moves ${movesMax}, ${seedsWords(runs)}`,
    xLabel: "arrivals",
    yLabel: "unallocated GPUs, %",
    // Policies that lose much would press the others into one line.
    yMax: 4 * floor + 10,
    lines: [
      ...[...curves].map(([name, samples]) => ({ name, points: binned(samples, 1) })),
      floorLine(floor, arrivals),
    ],
  });
  return { figures: { policies: figures }, table: tableOf(figures, floor) };
}

const seedsWords = ({ seeds }: Runs<unknown>): string => runsWords(seeds.length);

const floorLine = (floor: number, end: number) => ({
  name: `floor ${floor.toFixed(2)} %`,
  isDashed: true,
  points: [[0, floor] as const, [end, floor] as const],
});

/** Means over the runs and over equal parts of the time. */
function binned(
  samples: readonly (readonly [at: number, pct: number])[],
  unit: number,
): readonly (readonly [number, number])[] {
  const end = samples.reduce((most, [at]) => Math.max(most, at), 1);
  const sums = new Map<number, { sum: number; count: number }>();
  for (const [at, pct] of samples) {
    const bin = Math.min(pointCount - 1, Math.floor((at / end) * pointCount));
    const { sum, count } = sums.get(bin) ?? { sum: 0, count: 0 };
    sums.set(bin, { sum: sum + pct, count: count + 1 });
  }
  const bins = [...sums].toSorted(([a], [b]) => a - b);
  return bins.map(([bin, { sum, count }]) => [((bin + 0.5) * end) / pointCount / unit, sum / count] as const);
}

function measure(
  { policies, seeds, say, unit }: Runs<unknown> & { readonly unit: string },
  run: (policy: PolicyName, seed: number, sample: Sample) => Readonly<Record<string, number>>,
): {
  readonly figures: Figures;
  readonly curves: ReadonlyMap<PolicyName, readonly (readonly [number, number])[]>;
} {
  const figures: Figures = {};
  const curves = new Map<PolicyName, (readonly [number, number])[]>();
  const report = progressReporter(say);
  for (const policy of policies) {
    const samples: (readonly [number, number])[] = [];
    curves.set(policy, samples);
    const results = seeds.map((seed, i) =>
      run(policy, seed, (at, pct) => {
        samples.push([at, pct]);
        report(
          () =>
            `${policy}: seed ${seed}, ${i + 1} of ${seeds.length}, ${Math.floor(at)} ${unit}, ${pct.toFixed(2)} % unallocated`,
        );
      }),
    );
    const names = Object.keys(results[0] ?? {});
    const spreads = Object.fromEntries(
      names.map((name) => [name, spreadOf(results.map((one) => one[name] ?? 0))]),
    );
    figures[policy] = spreads;
    const shown = Object.entries(spreads).map(([name, spread]) => `${name} ${shownSpread(spread)}`);
    say(`${policy.padEnd(14)} ${shown.join("  ")}`);
  }
  return { figures, curves };
}

function tableOf(figures: Figures, floor: number): string {
  const names = Object.keys(Object.values(figures)[0] ?? {});
  const rows = Object.entries(figures).map(([policy, spreads]) => [
    policy,
    ...names.map((name) => (spreads[name] === undefined ? "" : shownSpread(spreads[name]))),
  ]);
  const words = `floor ${floor.toFixed(2)} %: GPUs that stay unallocated under any policy that places the whole mix`;
  return `${textTable([["POLICY", ...names], ...rows])}\n${words}`;
}
