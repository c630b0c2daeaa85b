// `bench placement`: how many GPUs each policy leaves unallocated in the inflation protocol.

import type { PolicyName } from "../src/placement/policies.ts";
import { type Bench, seedsOf, whole } from "./bench.ts";
import { floorPct } from "./floor.ts";
import { type InflationRun, inflate } from "./inflation.ts";
import { quantile, round, type Spread, spreadOf } from "./statistics.ts";
import { plotFlag, policiesOf, readTrace, traceFlags, writePlot } from "./trace-files.ts";

interface PolicyFigures {
  readonly u100: Spread;
  readonly u130: Spread;
  readonly f95: Spread;
  readonly usPerDecision: { readonly p50: number; readonly p99: number };
}

export const placement: Bench = {
  name: "placement",
  summary: "inflation protocol: unallocated GPU percent at 100 and 130 percent arrived, refusals before 95 percent",
  flags: [...traceFlags, { name: "learn", kind: "switch", description: "the policies start without knowing the mix" }, plotFlag],
  run: async ({ values, say }) => {
    const trace = readTrace(values);
    const seeds = seedsOf(values);
    const isLearning = whole(values, "learn") === 1;
    const figures: Record<string, PolicyFigures> = {};
    const curves = new Map<string, readonly InflationRun[]>();
    for (const policy of policiesOf(values)) {
      const runs = seeds.map((seed) => inflate(trace, { policy, seed, isLearning }));
      figures[policy] = figuresOf(runs);
      curves.set(policy, runs);
      say(line(policy, figures[policy]));
    }
    const floor = floorPct(trace.pods);
    writePlot(values, {
      title: "Unallocated GPUs",
      xLabel: "arrived GPU demand, % of the GPUs",
      yLabel: "unallocated GPU %",
      yMax: 40,
      lines: [
        ...[...curves].map(([name, runs]) => ({ name, points: meanCurve(runs) })),
        { name: `floor ${floor.toFixed(2)} %`, isDashed: true, points: floorCurve(floor) },
      ],
    });
    return { figures: { policies: figures } };
  },
};

function meanCurve(runs: readonly InflationRun[]): readonly (readonly [number, number])[] {
  const percents = [...(runs[0]?.unallocated.keys() ?? [])].toSorted((a, b) => a - b);
  return percents.map((percent) => [percent, spreadOf(runs.map((run) => run.unallocated.get(percent) ?? 0)).mean] as const);
}

/** Everything is placed until the floor is reached. */
function floorCurve(floor: number): readonly (readonly [number, number])[] {
  return [
    [60, 40],
    [100 - floor, floor],
    [130, floor],
  ];
}

function figuresOf(runs: readonly InflationRun[]): PolicyFigures {
  const at = (percent: number): Spread => spreadOf(runs.map((run) => unallocatedAt(run, percent)));
  const micros = Float64Array.from(runs.flatMap((run) => [...run.decisionMicros])).toSorted();
  return {
    u100: at(100),
    u130: at(130),
    f95: spreadOf(runs.map((run) => run.refusedEarly)),
    usPerDecision: { p50: round(quantile(micros, 0.5)), p99: round(quantile(micros, 0.99)) },
  };
}

/** At that percent arrived, or at the last event before when none rounds to it. */
function unallocatedAt({ unallocated }: InflationRun, percent: number): number {
  const last = [...unallocated.keys()].filter((one) => one <= percent).reduce((most, one) => Math.max(most, one), 0);
  return unallocated.get(last) ?? 100;
}

function line(policy: PolicyName, { u100, u130, f95, usPerDecision }: PolicyFigures): string {
  const spread = ({ mean, sd }: Spread): string => `${mean.toFixed(2)} ± ${sd.toFixed(2)}`;
  return `${policy.padEnd(14)} u100 ${spread(u100)}  u130 ${spread(u130)}  f95 ${spread(f95)}  p50 ${usPerDecision.p50} µs  p99 ${usPerDecision.p99} µs`;
}
