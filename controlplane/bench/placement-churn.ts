// `bench placement-churn`: what each policy rejects when sessions come and go, or how long it lets them wait.
import type { PolicyName } from "../src/placement/policies.ts";
import { type Bench, BenchError, type BenchValues, decimal, seedsOf, text, whole } from "./bench.ts";
import { churn } from "./churn.ts";
import { floorPct } from "./floor.ts";
import { replay } from "./replay.ts";
import { type Spread, spreadOf } from "./statistics.ts";
import { plotFlag, policiesOf, readTrace, type Trace, traceFlags, writePlot } from "./trace-files.ts";

const arrivalsMax = 10_000_000;
const LOAD_DEFAULT = 0.95;
const LOADS = { least: 0.01, most: 10 };

export const placementChurn: Bench = {
  name: "placement-churn",
  summary: "sessions come and go at a load: allocated and rejected demand, moves; or a replay of the trace with a queue",
  flags: [
    ...traceFlags,
    {
      name: "load",
      kind: "text",
      description: "offered GPU demand as a part of the GPUs; empty: 0.95, or as recorded with --lifetimes trace",
      default: "",
    },
    { name: "moves", kind: "whole", description: "sessions that may move for one that fits nowhere", default: 0 },
    { name: "movable", kind: "text", description: "part of the sessions that may move, 0 to 1", default: "1" },
    { name: "lifetimes", kind: "text", description: "exponential, or trace: the trace's own times", default: "exponential" },
    { name: "arrivals", kind: "whole", description: "arrivals of one run", default: 60_000 },
    { name: "warm-up", kind: "whole", description: "arrivals that do not count", default: 20_000 },
    plotFlag,
  ],
  run: async (run) => {
    const { values } = run;
    const lifetimes = text(values, "lifetimes");
    if (lifetimes !== "exponential" && lifetimes !== "trace") {
      throw new BenchError(`--lifetimes ${lifetimes} is neither exponential nor trace`);
    }
    const trace = readTrace(values);
    const load = text(values, "load") === "" ? undefined : decimal(values, "load", LOADS);
    const measured =
      lifetimes === "trace" ? replays(trace, { ...run, load }) : churns(trace, { ...run, load: load ?? LOAD_DEFAULT });
    return { figures: { policies: measured } };
  },
};

interface Sizes<Load> {
  readonly values: BenchValues;
  readonly say: (line: string) => void;
  readonly load: Load;
}

type Figures = Record<string, Record<string, Spread>>;

function replays(trace: Trace, { values, say, load }: Sizes<number | undefined>): Figures {
  return measure(values, say, (policy, seed) => ({ ...replay(trace, { policy, seed, load }) }));
}

function churns(trace: Trace, { values, say, load }: Sizes<number>): Figures {
  const arrivals = whole(values, "arrivals");
  const warmUp = whole(values, "warm-up");
  if (arrivals > arrivalsMax) throw new BenchError(`--arrivals ${arrivals} exceeds arrivalsMax ${arrivalsMax}`);
  if (warmUp >= arrivals) throw new BenchError(`--warm-up ${warmUp} leaves nothing of --arrivals ${arrivals}`);
  const movesMax = whole(values, "moves");
  const movable = decimal(values, "movable", { least: 0, most: 1 });
  const curves = new Map<PolicyName, Map<number, number[]>>();
  const figures = measure(values, say, (policy, seed) => {
    const curve = curves.get(policy) ?? new Map<number, number[]>();
    curves.set(policy, curve);
    const sample = (arrived: number, pct: number): void => {
      curve.set(arrived, [...(curve.get(arrived) ?? []), pct]);
    };
    return { ...churn(trace, { policy, seed, load, movesMax, movable, arrivals, warmUp, sample }) };
  });
  const floor = Math.max(100 - 100 * load, floorPct(trace.pods));
  writePlot(values, {
    title: `Unallocated GPUs at load ${load}`,
    xLabel: "arrivals",
    yLabel: "unallocated GPU %",
    yMax: 4 * floor + 10,
    lines: [
      ...[...curves].map(([name, curve]) => ({ name, points: [...curve].map(([x, pcts]) => [x, spreadOf(pcts).mean] as const) })),
      { name: `floor ${floor.toFixed(2)} %`, isDashed: true, points: [[0, floor] as const, [arrivals, floor] as const] },
    ],
  });
  return figures;
}

function measure(
  values: BenchValues,
  say: (line: string) => void,
  run: (policy: PolicyName, seed: number) => Readonly<Record<string, number>>,
): Figures {
  const seeds = seedsOf(values);
  const figures: Figures = {};
  for (const policy of policiesOf(values)) {
    const runs = seeds.map((seed) => run(policy, seed));
    const names = Object.keys(runs[0] ?? {});
    const spreads = Object.fromEntries(names.map((name) => [name, spreadOf(runs.map((one) => one[name] ?? 0))]));
    figures[policy] = spreads;
    const shown = Object.entries(spreads).map(([name, { mean, sd }]) => `${name} ${mean.toFixed(2)} ± ${sd.toFixed(2)}`);
    say(`${policy.padEnd(14)} ${shown.join("  ")}`);
  }
  return figures;
}
