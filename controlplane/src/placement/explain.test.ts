import assert from "node:assert/strict";
import { test } from "node:test";
import { ask, fraction, node, none } from "../../test/node-specs.ts";
import { candidatesMax, explainedNodesMax, reasonsAgainst, reasonsFor } from "./explain.ts";
import { Pool, type PoolPlan } from "./pool.ts";

const half = (session: string) => ask(session, fraction(500), { cores: 1, gib: 0 });
function decided(pool: Pool, session: string): PoolPlan {
  const plan = pool.decide(half(session));
  assert.equal(plan.type, "plan");
  return plan;
}

test("an explained plan has its own node first, and counts what the others failed", () => {
  const nodes = [
    node("empty", { gpus: 1 }),
    node("used", { gpus: 1 }),
    node("none"),
    node("small", { gpus: 1, cores: 0 }),
  ];
  const pool = new Pool({ nodes });
  pool.place({ ...half("first"), warmNode: "used" });
  const { candidates, failed } = reasonsFor(pool, decided(pool, "k"));
  assert.deepEqual(
    candidates.map((one) => one.node),
    ["used", "empty"],
  );
  assert.deepEqual([failed.gpu_count, failed.cpu, failed.not_ready], [1, 1, 0]);
});

test("a node that the labels rule out is no candidate", () => {
  const pool = new Pool({ nodes: [node("a"), node("b"), node("c")] });
  pool.place(ask("db", none, { labels: ["db"], warmNode: "b" }));
  const plan = pool.decide(ask("web", none, { antiAffinity: ["db"] }));
  assert.equal(plan.type, "plan");
  const { candidates, failed } = reasonsFor(pool, plan);
  assert.deepEqual(candidates.map((one) => one.node).toSorted(), ["a", "c"]);
  assert.equal(failed.anti_affinity, 1);
});

test("in a large pool the best of the blocks are named, the chosen node first and none twice", () => {
  const count = explainedNodesMax * 4;
  const pool = new Pool({
    nodes: Array.from({ length: count }, (_, i) => node(`n${i}`, { gpus: 1 + (i % 8) })),
  });
  for (let i = 0; i < 40; i++) pool.expect(half(`e${i}`));
  pool.adopt();
  for (let i = 0; i < 100; i++) pool.place(half(`s${i}`));
  const plan = decided(pool, "k");
  const { candidates, failed } = reasonsFor(pool, plan);
  assert.deepEqual([candidates[0]?.node, candidates.length, failed], [plan.nodeId, candidatesMax, {}]);
  assert.equal(new Set(candidates.map((one) => one.node)).size, candidatesMax);
  const scores = candidates.map((one) => one.score[0] ?? 0);
  assert.deepEqual(
    scores,
    scores.toSorted((a, b) => a - b),
  );
});

test("an explained refusal is the refusal", () => {
  const pool = new Pool({
    nodes: [node("a"), node("b", { gpus: 1 })],
    quotas: new Map([["blue", { sessions: 0 }]]),
  });
  pool.setReady("b", false);
  const refusal = pool.decide(half("k"));
  assert.equal(refusal.type, "refusal");
  const { failed, candidates } = reasonsAgainst(refusal);
  assert.deepEqual([failed.not_ready, failed.gpu_count, candidates], [1, 1, []]);
  const overQuota = pool.decide({ ...half("k"), namespace: "blue" });
  assert.deepEqual(overQuota.type === "refusal" && reasonsAgainst(overQuota), { failed: {}, candidates: [] });
});
