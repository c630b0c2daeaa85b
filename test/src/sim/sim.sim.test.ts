// The real turn and lane under every fault that the protocol must survive (DESIGN.md 7.1-7.4), and the proof
// that the simulator sees.
import assert from "node:assert/strict";
import { test } from "node:test";
import { canaries, withoutRule } from "./canaries.ts";
import { type RunResult, run } from "./run.ts";

const schedules = Number(process.env["SIM_SCHEDULES"] ?? 2000);
const firstSeed = Number(process.env["SIM_SEED"] ?? 1_000_000);
/** Schedules per test: bounds the time of one. */
const chunk = 2000;
const canarySchedulesMax = 4000;

function report(result: RunResult, command: string): string {
  return [`seed ${result.seed}: ${result.problem}`, ...result.trace.slice(-60), `again: ${command}`].join(
    "\n",
  );
}

for (let from = firstSeed; from < firstSeed + schedules; from += chunk) {
  const to = Math.min(from + chunk, firstSeed + schedules);
  test(`schedules ${from} to ${to - 1} lose, double and reorder nothing, and come to rest`, () => {
    for (let seed = from; seed < to; seed += 1) {
      const result = run({ seed });
      if (result.problem !== undefined)
        assert.fail(report(result, `node test/src/sim/replay.ts --seed ${seed}`));
    }
  });
}

for (const [rule, { finds }] of Object.entries(canaries)) {
  test(`without the rule ${rule} a violation is found`, async () => {
    const runWithout = await withoutRule(rule);
    for (let seed = 1; seed <= canarySchedulesMax; seed += 1) {
      const result = runWithout({ seed });
      if (result.problem === undefined) continue;
      assert.match(result.problem, finds, report(result, `the rule ${rule}`));
      return;
    }
    assert.fail(`${canarySchedulesMax} schedules held without ${rule}: the simulator is blind to it`);
  });
}

test("schedules reach what they are meant to check", () => {
  const seen = Array.from({ length: 300 }, (_, i) => run({ seed: firstSeed + i }).trace.join("\n")).join(
    "\n",
  );
  const wanted = [
    /turns \w+\.\d+ accepted/,
    /fold \w+\.\d+ accepted/,
    /gone \w+\.\d+ accepted/,
    /purge below \d+, [1-9]/,
    /forwards \d+ to/,
    /gets \d+, which is for another life/,
    /loses a call that it passed on/,
    /cold, released/,
    /cold, fenced/,
    /cold, ended/,
    /incident data_loss/,
    /returns as/,
    /loses its workers/,
    /goes on/,
    /answer to throw \d+: \{"failed"/,
    /answer to read \d+: \{"state"/,
  ];
  for (const pattern of wanted) assert.match(seen, pattern);
});

test("the same seed gives the same run", () => {
  assert.deepEqual(run({ seed: firstSeed }), run({ seed: firstSeed }));
});

test("a mesh that never comes to rest is a failure", () => {
  const result = run({ seed: firstSeed, faults: { lost: 1 } });
  assert.match(result.problem ?? "", /^not done|^nothing happens/);
});
