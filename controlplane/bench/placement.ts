// `bench placement`: how many GPUs each policy leaves unallocated in the inflation protocol.

import { type Bench, progressReporter, quantile, seedsOf, whole } from "@voda/stdx/bench";
import type { PolicyName } from "../src/placement/policies.ts";
import { floorPct } from "./floor.ts";
import { type InflationRun, inflate } from "./inflation.ts";
import { plotFlag, plotOf } from "./plot-file.ts";
import { merged, round, runsWords, type Spread, shownSpread, spreadOf } from "./statistics.ts";
import { textTable } from "./text-table.ts";
import { policiesOf, readTrace, traceFlags } from "./trace-files.ts";
import { unplaceable } from "./unplaceable.ts";

interface PolicyFigures {
  readonly u100: Spread;
  readonly u130: Spread;
  readonly f95: Spread;
  readonly usPerDecision: { readonly p50: number; readonly p99: number };
}

export const placement: Bench = {
  name: "placement",
  summary:
    "inflation protocol: unallocated GPU percent at 100 and 130 percent arrived, refusals before 95 percent",
  flags: [
    ...traceFlags,
    { name: "learn", type: "switch", description: "the policies start without knowing the mix" },
    plotFlag,
  ],
  run: async ({ values, say }) => {
    const [policies, seeds, plot] = [policiesOf(values), seedsOf(values), plotOf(values)];
    const trace = readTrace(values);
    for (const text of unplaceable(trace)) say(text);
    const isLearning = whole(values, "learn") === 1;
    const report = progressReporter(say);
    const figures: Record<string, PolicyFigures> = {};
    const curves = new Map<string, readonly InflationRun[]>();
    for (const policy of policies) {
      const runs = seeds.map((seed, i) =>
        inflate(trace, {
          policy,
          seed,
          isLearning,
          report: (part) =>
            report(() => `${policy}: seed ${seed}, ${i + 1} of ${seeds.length}, ${Math.floor(part * 100)} %`),
        }),
      );
      figures[policy] = figuresOf(runs);
      curves.set(policy, runs);
      say(line(policy, figures[policy]));
    }
    const floor = floorPct(trace.pods);
    plot.draw({
      title: `Unallocated GPUs, inflation protocol: ${trace.nodes.length} nodes, ${runsWords(seeds.length)}`,
      xLabel: "arrived GPU demand, % of the GPUs",
      yLabel: "unallocated GPUs, %",
      yMax: 40,
      lines: [
        ...[...curves].map(([name, runs]) => ({ name, points: meanCurve(runs) })),
        { name: `floor ${floor.toFixed(2)} %`, isDashed: true, points: floorCurve(floor) },
      ],
    });
    return { figures: { policies: figures }, table: tableOf(figures, floor) };
  },
};

function tableOf(figures: Readonly<Record<string, PolicyFigures>>, floor: number): string {
  const rows = Object.entries(figures).map(([policy, { u100, u130, f95, usPerDecision }]) => [
    policy,
    ...[u100, u130, f95].map(shownSpread),
    ...[usPerDecision.p50, usPerDecision.p99].map((micros) => micros.toFixed(1)),
  ]);
  const head = ["POLICY", "U100 %", "U130 %", "F95 PODS", "P50 µs", "P99 µs"];
  return textTable([head, ...rows, ["floor", floor.toFixed(2), floor.toFixed(2), "", "", ""]]);
}

function meanCurve(runs: readonly InflationRun[]): readonly (readonly [number, number])[] {
  const percents = [...(runs[0]?.unallocated.keys() ?? [])].toSorted((a, b) => a - b);
  return percents.map(
    (percent) => [percent, spreadOf(runs.map((run) => run.unallocated.get(percent) ?? 0)).mean] as const,
  );
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
  const micros = merged(runs.map((run) => run.decisionMicros));
  return {
    u100: at(100),
    u130: at(130),
    f95: spreadOf(runs.map((run) => run.refusedEarly)),
    usPerDecision: { p50: round(quantile(micros, 0.5)), p99: round(quantile(micros, 0.99)) },
  };
}

/** At that percent arrived, or at the last event before when none rounds to it. */
function unallocatedAt({ unallocated }: InflationRun, percent: number): number {
  const last = [...unallocated.keys()]
    .filter((one) => one <= percent)
    .reduce((most, one) => Math.max(most, one), 0);
  return unallocated.get(last) ?? 100;
}

function line(policy: PolicyName, { u100, u130, f95, usPerDecision }: PolicyFigures): string {
  const { p50, p99 } = usPerDecision;
  const spreads = `u100 ${shownSpread(u100)}  u130 ${shownSpread(u130)}  f95 ${shownSpread(f95)}`;
  return `${policy.padEnd(14)} ${spreads}  p50 ${p50} µs  p99 ${p99} µs`;
}
