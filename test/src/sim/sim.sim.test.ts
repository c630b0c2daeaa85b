// The real turn and lane under every fault that the protocol must survive (DESIGN.md 7.1-7.4), and the proof
// that the simulator sees.
import assert from "node:assert/strict";
import { test } from "node:test";
import { canaries, patchedRun, poorTrails } from "./canaries.ts";
import { knownSeeds } from "./known-seeds.ts";
import { run } from "./run.ts";
import { findViolation, firstSeed, testSchedules } from "./suite.ts";

testSchedules(1000);

for (const rule of Object.keys(canaries))
  test(`without the rule ${rule} a violation is found`, async (context) => {
    const count = await findViolation(rule, knownSeeds[rule] ?? 1);
    if (count > 1) context.diagnostic(`${rule} needed ${count} schedules: is there a better seed?`);
  });

test("trails that leave out records cost reads, and nothing else", async () => {
  const runPoorly = await patchedRun("poor trails", [poorTrails]);
  let reads = 0;
  for (let seed = firstSeed; seed < firstSeed + 80; seed += 1) {
    const { problem, coverage } = runPoorly({ seed, faults: { crashes: 3 }, plan: { writes: 12 } });
    assert.equal(problem, undefined, `seed ${seed}`);
    reads += coverage.get("records are read one by one") ?? 0;
  }
  assert.ok(reads > 20, `${reads} reads`);
});

test("each known seed is of a canary", () => {
  assert.deepEqual(
    Object.keys(knownSeeds).filter((rule) => !(rule in canaries)),
    [],
  );
});

test("the same seed gives the same run", () => {
  assert.deepEqual(run({ seed: firstSeed }), run({ seed: firstSeed }));
});

test("a mesh that never comes to rest is a failure", () => {
  const result = run({ seed: firstSeed, faults: { lost: 1 } });
  assert.match(result.problem ?? "", /^not done|^nothing happens/);
});
