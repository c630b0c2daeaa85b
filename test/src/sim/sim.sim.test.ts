// The real turn and lane under every fault that the protocol must survive (DESIGN.md 7.1-7.4), and the proof
// that the simulator sees.
import assert from "node:assert/strict";
import { test } from "node:test";
import { canaries, withoutRule } from "./canaries.ts";
import { addCoverage, missing, type Occasion, occasions } from "./coverage.ts";
import type { RunOptions } from "./options.ts";
import { type RunResult, run } from "./run.ts";

const usualSchedules = 2000;
const schedules = Number(process.env["SIM_SCHEDULES"] ?? usualSchedules);
const firstSeed = Number(process.env["SIM_SEED"] ?? 1_000_000);
/** Schedules per test: bounds the time of one. */
const chunk = 2000;
/**
 * The rarest violation comes in one schedule of 50: ten times that find it, whatever else changes the seeds.
 */
const canarySchedulesMax = 500;
/** One in so many schedules is a hard one. */
const hardShare = 20;

function report(result: RunResult, command: string): string {
  return [`seed ${result.seed}: ${result.problem}`, ...result.trace.slice(-60), `again: ${command}`].join(
    "\n",
  );
}

const coverage = new Map<Occasion, number>();
let done = 0;

function hold(options: RunOptions): void {
  const result = run(options);
  addCoverage(coverage, result.coverage);
  done += 1;
  if (result.problem !== undefined)
    assert.fail(report(result, `node test/src/sim/replay.ts --seed ${options.seed}`));
}

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
  if (schedules > usualSchedules)
    for (const occasion of occasions)
      context.diagnostic(`in ${done} schedules ${coverage.get(occasion) ?? 0} times: ${occasion}`);
  assert.deepEqual(missing(coverage), []);
});

/** Schedules until the violation, by rule. */
const needed = new Map<string, number>();

for (const [rule, { finds }] of Object.entries(canaries)) {
  test(`without the rule ${rule} a violation is found`, async () => {
    const runWithout = await withoutRule(rule);
    for (let seed = 1; seed <= canarySchedulesMax; seed += 1) {
      const result = runWithout({ seed });
      if (result.problem === undefined) continue;
      assert.match(result.problem, finds, report(result, `the rule ${rule}`));
      needed.set(rule, seed);
      return;
    }
    assert.fail(`${canarySchedulesMax} schedules held without ${rule}: the simulator is blind to it`);
  });
}

test("without the rule that it names each canary found a violation", (context) => {
  const slowest = [...needed].toSorted(([, a], [, b]) => b - a);
  context.diagnostic(`schedules needed, of ${canarySchedulesMax}: ${slowest.flat().join(" ")}`);
  assert.deepEqual(new Set(needed.keys()), new Set(Object.keys(canaries)));
});

test("the same seed gives the same run", () => {
  assert.deepEqual(run({ seed: firstSeed }), run({ seed: firstSeed }));
});

test("a mesh that never comes to rest is a failure", () => {
  const result = run({ seed: firstSeed, faults: { lost: 1 } });
  assert.match(result.problem ?? "", /^not done|^nothing happens/);
});
