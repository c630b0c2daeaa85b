import assert from "node:assert/strict";
import { test } from "node:test";
import { CostModel, type DeviceProfile, inQuestionBelow, recheckAfter, triesMax, triesMin } from "./cost.ts";

/** What a run really takes, in microseconds. */
type Truth = (elements: number) => number;
interface Simulated extends DeviceProfile {
  readonly truth: Truth;
}

/** Quick to start and slow, and the other way round; they cross at 1,000 elements of 5 nodes. */
const slow: Simulated = { launchUs: 1, nodesPerUs: 500, truth: (n) => 1 + n / 100 };
const fast: Simulated = { launchUs: 10, nodesPerUs: 5_000, truth: (n) => 10 + n / 1_000 };

/** Chooses and runs; what it cost over what the best device would have cost each time. */
function run(
  model: CostModel,
  devices: readonly Simulated[],
  sizes: readonly number[],
  disturb = 1,
): { readonly regret: number; readonly counts: readonly number[] } {
  let [took, best] = [0, 0];
  const counts = devices.map(() => 0);
  for (const elements of sizes) {
    const chosen = model.choose(elements);
    const us = devices[chosen]?.truth(elements) ?? Number.NaN;
    model.observe(chosen, elements, us * disturb);
    took += us;
    best += Math.min(...devices.map(({ truth }) => truth(elements)));
    counts[chosen] = (counts[chosen] ?? 0) + 1;
  }
  return { regret: took / best - 1, counts };
}

const repeat = (elements: number, times: number): number[] => Array.from({ length: times }, () => elements);
/** 16 to 65,536 elements, each size so often, by turns. */
const sweep = (times: number): number[] =>
  Array.from({ length: 13 * times }, (_, i) => 16 * 2 ** ((i * 5) % 13));

test("a sweep over sizes costs little more than the best device for each, and then next to nothing", () => {
  const devices = [slow, fast];
  const model = new CostModel(devices, 5);
  const first = run(model, devices, sweep(76)).regret;
  const then = run(model, devices, sweep(76)).regret;
  assert.ok(first <= 0.1, `${first} in the first 1,000 runs`);
  assert.ok(then <= 0.03, `${then} in the next`);
});

test("also when the profiles are wrong by a factor, either way", () => {
  for (const factor of [0.2, 5]) {
    const devices = [{ ...slow, nodesPerUs: slow.nodesPerUs * factor }, fast];
    const model = new CostModel(devices, 5);
    run(model, devices, sweep(76));
    const { regret } = run(model, devices, sweep(76));
    assert.ok(regret <= 0.03, `${regret} with a factor of ${factor}`);
  }
});

test("what should take many times as long is never tried", () => {
  const devices = [slow, fast];
  const { counts } = run(new CostModel(devices, 5), devices, repeat(1_000_000, 1_000));
  assert.deepEqual(counts, [0, 1_000]);
  const isInQuestion = slow.truth(1_000_000) < inQuestionBelow * fast.truth(1_000_000);
  assert.ok(!isInQuestion);
});

test("runs that were disturbed do not change the choice", () => {
  const devices = [slow, fast];
  const model = new CostModel(devices, 5);
  run(model, devices, repeat(64, 200));
  run(model, devices, repeat(64, 1), 1_000);
  const { counts } = run(model, devices, repeat(64, recheckAfter));
  assert.ok((counts[0] ?? 0) > recheckAfter * 0.9, counts.join());
});

test("a first run that was disturbed is no reason to leave the device alone", () => {
  const devices = [slow, fast];
  const model = new CostModel(devices, 5);
  run(model, devices, repeat(64, 1), 1_000);
  run(model, devices, repeat(64, 2 * triesMax));
  const { counts } = run(model, devices, repeat(64, recheckAfter));
  assert.ok((counts[0] ?? 0) > recheckAfter * 0.9, counts.join());
});

test("a device that becomes slow loses its place after some ten runs, before its time", () => {
  const devices = [slow, fast];
  const model = new CostModel(devices, 5);
  run(model, devices, repeat(64, 4 * triesMax));
  const slowed = [{ ...slow, truth: (n: number) => 50 * slow.truth(n) }, fast];
  const { counts } = run(model, slowed, repeat(64, recheckAfter));
  assert.ok((counts[0] ?? 0) < recheckAfter / 2, counts.join());
});

test("a device that becomes fast is found when all are looked at again", () => {
  const devices = [slow, fast];
  const model = new CostModel(devices, 5);
  run(model, devices, repeat(512, 4 * triesMax));
  const sped = [slow, { ...fast, truth: () => 0.5 }];
  run(model, sped, repeat(512, 2 * recheckAfter));
  const { counts } = run(model, sped, repeat(512, recheckAfter));
  assert.ok((counts[1] ?? 0) > recheckAfter * 0.9, counts.join());
});

test("long runs are tried a few times only", () => {
  const twins = [fast, { ...fast }];
  const { counts } = run(new CostModel(twins, 5), twins, repeat(65_536, triesMin * 2 + recheckAfter - 1));
  assert.deepEqual(counts, [triesMin + recheckAfter - 1, triesMin]);
});
