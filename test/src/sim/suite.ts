// What `npm test` does a little of, and `npm run test:full` and `npm run test:sim` more.
import assert from "node:assert/strict";
import { test } from "node:test";
import { canaries, withoutRule } from "./canaries.ts";
import { addCoverage, missing, type Occasion, occasions } from "./coverage.ts";
import type { RunOptions } from "./options.ts";
import { type RunResult, run } from "./run.ts";

export const firstSeed = Number(process.env["SIM_SEED"] ?? 1_000_000);
/** Schedules per test: bounds the time of one. */
const chunk = 2000;
/**
 * The rarest violation comes in one schedule of 50: ten times that find it, whatever else changes the seeds.
 */
export const canarySchedulesMax = 500;
/** One in so many schedules is a hard one. */
const hardShare = 20;

function report(result: RunResult, command: string): string {
  return [`seed ${result.seed}: ${result.problem}`, ...result.trace.slice(-60), `again: ${command}`].join(
    "\n",
  );
}

/** @param usual how many, unless the environment says */
export function testSchedules(usual: number): void {
  const schedules = Number(process.env["SIM_SCHEDULES"] ?? usual);
  const coverage = new Map<Occasion, number>();
  let done = 0;
  const hold = (options: RunOptions): void => {
    const result = run(options);
    addCoverage(coverage, result.coverage);
    done += 1;
    if (result.problem !== undefined)
      assert.fail(report(result, `node test/src/sim/replay.ts --seed ${options.seed}`));
  };
  for (let from = firstSeed; from < firstSeed + schedules; from += chunk) {
    const to = Math.min(from + chunk, firstSeed + schedules);
    test(`schedules ${from} to ${to - 1} lose, double and reorder nothing, and come to rest`, () => {
      for (let seed = from; seed < to; seed += 1) hold({ seed });
    });
  }
  test("2 losses of power, 4 crashes and 4 pauses in one schedule hold with the product's bounds", () => {
    const faults = { powerLosses: 2, crashes: 4, pauses: 4 };
    for (let seed = firstSeed; seed < firstSeed + schedules / hardShare; seed += 1)
      hold({ seed, isLong: true, faults });
  });
  test("schedules come to everything that they are meant to check", (context) => {
    if (schedules > chunk)
      for (const occasion of occasions)
        context.diagnostic(`in ${done} schedules ${coverage.get(occasion) ?? 0} times: ${occasion}`);
    assert.deepEqual(missing(coverage), []);
  });
}

/**
 * How many schedules it takes until something goes wrong without the rule.
 * @param first the seed of the first
 */
export async function findViolation(rule: string, first: number): Promise<number> {
  const runWithout = await withoutRule(rule);
  for (let count = 1; count <= canarySchedulesMax; count += 1) {
    const result = runWithout({ seed: first + count - 1 });
    if (result.problem === undefined) continue;
    assert.match(result.problem, canaries[rule]?.finds ?? /$^/, report(result, `the rule ${rule}`));
    return count;
  }
  return assert.fail(`${canarySchedulesMax} schedules held without ${rule}: the simulator is blind to it`);
}
