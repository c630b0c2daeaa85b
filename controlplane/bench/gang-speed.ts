// The time of deciding gangs in a pool, none of which is booked.
import { quantile } from "@voda/stdx/bench";
import { decideGang } from "../src/placement/gang.ts";
import type { Pool } from "../src/placement/pool.ts";
import type { PoolRequest } from "../src/placement/request.ts";
import { merged, round } from "./statistics.ts";

const gangMembers = 64;
/** Each kind of member is new to the pool once; the others come again, as jobs do. */
const gangCount = 400;
/** Gangs between new prices, after which every cost is void. */
const gangsPerAdopt = 100;

export interface GangTimes {
  readonly millis: Float64Array;
  /** Those during which no other process took the core. */
  readonly undisturbed: Float64Array;
  readonly placed: number;
}

export interface GangFigures extends Percentiles {
  readonly placed: number;
  readonly of: number;
  readonly undisturbed: Percentiles & { readonly of: number };
}

type Percentiles = Readonly<Record<"p50" | "p99" | "max", number>>;

export function timeGangs(pool: Pool): GangTimes {
  const millis = new Float64Array(gangCount);
  const undisturbed: number[] = [];
  let placed = 0;
  for (let i = 0; i < gangCount; i++) {
    if (i % gangsPerAdopt === gangsPerAdopt >> 1) pool.adopt();
    const members = gangOf({ count: 1 + (i % 8), cores: 1 + ((i >> 3) % 3) });
    const switches = descheduled();
    const started = performance.now();
    const { type } = decideGang(pool, members);
    const took = performance.now() - started;
    millis[i] = took;
    if (descheduled() === switches) undisturbed.push(took);
    if (type === "gang") placed += 1;
  }
  return { millis, undisturbed: Float64Array.from(undisturbed), placed };
}

export function gangFigures(runs: readonly GangTimes[]): GangFigures {
  const [millis, undisturbed] = [
    merged(runs.map((run) => run.millis)),
    merged(runs.map((run) => run.undisturbed)),
  ];
  const placed = runs.reduce((sum, run) => sum + run.placed, 0);
  return {
    ...percentiles(millis),
    placed,
    of: millis.length,
    undisturbed: { ...percentiles(undisturbed), of: undisturbed.length },
  };
}

/** Members of 1 to 8 GPUs and 1 to 3 cores, in turns. */
function gangOf({
  count,
  cores,
}: {
  readonly count: number;
  readonly cores: number;
}): readonly PoolRequest[] {
  const gpu = { type: "whole", count, memoryMib: 0 } as const;
  const resources = { cpuMilli: cores * 1000, memoryMib: 1024, gpu };
  return Array.from({ length: gangMembers }, (_, i) => ({
    session: `gang-${i}`,
    namespace: "bench",
    resources,
  }));
}

/** How often another process took the core. */
function descheduled(): number {
  return process.resourceUsage().involuntaryContextSwitches;
}

function percentiles(sorted: Float64Array): Percentiles {
  return {
    p50: round(quantile(sorted, 0.5)),
    p99: round(quantile(sorted, 0.99)),
    max: round(quantile(sorted, 1)),
  };
}
