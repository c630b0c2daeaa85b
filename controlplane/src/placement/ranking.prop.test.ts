import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { type PolicyName, policies } from "./policies.ts";
import { Pool } from "./pool.ts";
import { ask, fraction, node, none, whole } from "./test-nodes.ts";

const gpu = fc.constantFrom(none, whole(1), whole(2), whole(8), fraction(250), fraction(460), fraction(810));
const requests = fc.array(fc.record({ gpu, cores: fc.constantFrom(1, 6, 12), leaves: fc.boolean(), catchesUp: fc.boolean() }), {
  maxLength: 120,
});
const names = (Object.keys(policies) as PolicyName[]).filter((name) => name !== "random");

/** More than one block of nodes, and a last block that is not full. */
const specs = Array.from({ length: 37 }, (_, i) => node(`n${i}`, { gpus: [8, 2, 0, 4][i % 4] ?? 0, cores: 32 + (i % 3) * 32 }));

test("the kept costs pick the node that a fresh look at all nodes picks", () => {
  fc.assert(
    fc.property(fc.constantFrom(...names), requests, (name, steps) => {
      const kept = new Pool({ nodes: specs, policy: name });
      for (const [i, { gpu, cores, leaves, catchesUp }] of steps.entries()) {
        const request = ask(`s${i}`, gpu, { cores });
        kept.arrived(request);
        if (i % 30 === 29) kept.adopt();
        const plan = kept.decide(request);
        const anew = fresh(kept, request);
        assert.equal(plan.kind === "plan" ? plan.nodeId : undefined, anew);
        if (plan.kind === "plan") kept.commit(plan);
        if (catchesUp) kept.ranking.catchUp();
        if (leaves) kept.release(`s${Math.floor(i / 2)}`);
      }
    }),
    { numRuns: 40 },
  );
});

/** By the definition: least cost, then the fullest or the first. */
function fresh(pool: Pool, request: Parameters<Pool["decide"]>[0]): string | undefined {
  const shape = pool.shapeOf(request);
  if (typeof shape === "string") return undefined;
  let best: { node: number; cost: number; left: number } | undefined;
  for (let node = 0; node < pool.books.count; node++) {
    if (!pool.books.fits(node, shape)) continue;
    const cost = pool.policy.cost(node, shape);
    const left = (pool.books.cpuMilli[node] ?? 0) / 16 + (pool.books.gpuMilli[node] ?? 0);
    const isFuller = pool.policy.tie === "fullest" && cost === best?.cost && left < best.left;
    if (best === undefined || cost < best.cost || isFuller) best = { node, cost, left };
  }
  return best === undefined ? undefined : pool.books.idOf(best.node);
}

test("random takes any node that fits, and each of them in time", () => {
  const pool = new Pool({ nodes: specs, policy: "random", seed: 7 });
  const seen = new Set<string>();
  for (let i = 0; i < 600; i++) {
    const plan = pool.decide(ask("s", whole(8)));
    assert.ok(plan.kind === "plan" && (pool.books.gpus[plan.node] ?? 0) === 8);
    seen.add(plan.nodeId);
  }
  assert.equal(seen.size, specs.filter((spec) => spec.gpus.length === 8).length);
});
