import assert from "node:assert/strict";
import { test } from "node:test";
import { sessionToken } from "@voda/proto/session";
import { ask, fraction, node, none } from "../../test/node-specs.ts";
import { Pool, type PoolPlan, type PoolRefusal } from "../placement/index.ts";
import { candidatesMax, type Decision, explainedNodesMax, reasonsAgainst, reasonsFor } from "./decision.ts";
import { createDecisionLog, decisionsMax } from "./decision-log.ts";

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

test("the log keeps the last decision of each session, and no more sessions than its bound", () => {
  const log = createDecisionLog();
  const decide = (key: string, decidedMs: number): void => {
    const name = { namespace: "default", agent: "a", key };
    const outcome: PoolRefusal = { type: "refusal", reason: "invalid", problem: "none" };
    const decision: Decision = {
      name,
      decidedMs,
      outcome,
      policy: "bpf",
      nodes: 1,
      failed: {},
      candidates: [],
    };
    log.set(sessionToken(name), decision);
  };
  const token = sessionToken({ namespace: "default", agent: "a", key: "k" });
  decide("k", 1);
  decide("k", 2);
  assert.equal(log.get(token)?.decidedMs, 2);
  for (let i = 1; i < decisionsMax; i += 1) decide(`other-${i}`, 3);
  assert.equal(log.get(token)?.decidedMs, 2);
  decide("one more", 4);
  assert.equal(log.get(token), undefined);
});
