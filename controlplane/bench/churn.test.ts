import assert from "node:assert/strict";
import { test } from "node:test";
import type { PolicyName } from "../src/placement/policies.ts";
import { churn } from "./churn.ts";
import { syntheticNodes, syntheticPods } from "./synthetic-trace.ts";

const nodes = Array.from({ length: 4 }, (_, i) =>
  syntheticNodes().map((spec) => ({ ...spec, id: `${spec.id}/${i}` })),
).flat();

/**
 * A twelfth of the requests for one GPU can use only model B, which has a tenth of the GPUs, and a twelfth
 * only C, a fifteenth.
 */
const pods = syntheticPods().map((pod, i) => ({
  ...pod,
  models: pod.gpuCount !== 1 ? [] : i % 12 === 0 ? ["B"] : i % 12 === 6 ? ["C"] : [],
}));

test("bid-price fit rejects clearly less than fgd when sessions of scarce models come and go", () => {
  const rejected = (policy: PolicyName): number => {
    const options = {
      policy,
      load: 0.9,
      movesMax: 0,
      movable: 0,
      arrivals: 6000,
      warmUp: 2000,
      sample: () => undefined,
    };
    return churn({ nodes, pods }, { ...options, seed: 1 }).rejectedDemandPct;
  };
  const [bpf, fgd] = [rejected("bpf"), rejected("fgd")];
  assert.ok(bpf < 0.8 * fgd, `${bpf} % against ${fgd} %`);
});
