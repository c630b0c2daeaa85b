import assert from "node:assert/strict";
import { test } from "node:test";
import { ask, fraction, node, whole } from "../../test/node-specs.ts";
import { type PolicyName, policies } from "./policies.ts";
import { Pool, type PoolPlan } from "./pool.ts";
import type { PoolRequest } from "./request.ts";
import { Shadow, type ShadowCounters } from "./shadow.ts";

function planOf(pool: Pool, request: PoolRequest): PoolPlan {
  const plan = pool.decide(request);
  assert.ok(plan.type === "plan", `${request.session} is refused`);
  return plan;
}

/** A pool with one GPU of the first node taken, that expects as many requests for one GPU as for two. */
function twoNodes(policy: PolicyName): Pool {
  const pool = new Pool({ nodes: [node("a", { gpus: 2 }), node("b", { gpus: 2 })], policy });
  pool.commit(planOf(pool, ask("first", whole(1), { models: ["A"] })));
  return pool;
}

function adopt(pool: Pool): void {
  for (const count of [1, 2]) pool.expect(ask("expected", whole(count)));
  pool.adopt();
}

/**
 * By the definition of `nodeValue`: requests for two GPUs are worth twice as much as those for one, r = 2,
 * and so weigh 0.02 + 0.06 * 2 ** 2 = 0.26 of them. A GPU alone is worth 1, two together are worth 2 + 2 *
 * 0.26.
 */
const aloneMilli = 1000;
const fromTwoMilli = 2520 - aloneMilli;

function about(actual: number | undefined, expected: number): void {
  assert.ok(actual !== undefined && Math.abs(actual - expected) < 1e-6, `${actual} is not about ${expected}`);
}

function of(shadow: Shadow, name: PolicyName): ShadowCounters {
  const counters = shadow.counters().get(name);
  assert.ok(counters !== undefined);
  return counters;
}

test("the pool that breaks no pair of GPUs has saved what the reference would have broken", () => {
  const pool = twoNodes("bpf");
  const shadow = new Shadow(pool, ["spread", "bestFit"]);
  adopt(pool);
  const plan = planOf(pool, ask("next", whole(1)));
  assert.equal(plan.nodeId, "a");
  shadow.compare(plan);
  shadow.compare(plan);
  const spread = of(shadow, "spread");
  assert.deepEqual([spread.decisions, spread.sameNode, spread.sameDevices], [1, 0, 0]);
  about(spread.destroyedMilli, aloneMilli);
  about(spread.referenceDestroyedMilli, fromTwoMilli);
  const bestFit = of(shadow, "bestFit");
  assert.deepEqual([bestFit.decisions, bestFit.sameNode, bestFit.sameDevices], [1, 1, 1]);
  about(bestFit.referenceDestroyedMilli, aloneMilli);
});

test("a pool of another policy is priced by a bpf of the shadow's own, and has lost against it", () => {
  const pool = twoNodes("spread");
  const shadow = new Shadow(pool, ["bpf"]);
  adopt(pool);
  const plan = planOf(pool, ask("next", whole(1)));
  assert.equal(plan.nodeId, "b");
  shadow.compare(plan);
  const { destroyedMilli, referenceDestroyedMilli } = of(shadow, "bpf");
  about(destroyedMilli - referenceDestroyedMilli, fromTwoMilli - aloneMilli);
});

test("new prices void what a reference knew of nodes that have not changed", () => {
  const nodes = [node("pair", { gpus: 2, cores: 8 }), node("single", { gpus: 1 })];
  const pool = new Pool({ nodes, policy: "spread" });
  const shadow = new Shadow(pool, ["bpf"]);
  const plan = planOf(pool, ask("next", whole(1)));
  assert.equal(plan.nodeId, "single");
  shadow.compare(plan);
  assert.equal(of(shadow, "bpf").sameNode, 0, "without prices it takes the fullest");
  adopt(pool);
  shadow.compare(plan);
  assert.equal(of(shadow, "bpf").sameNode, 1, "it broke a pair");
});

test("a fraction on another device of the same node is priced on that device", () => {
  const pool = new Pool({ nodes: [node("a", { gpus: 2 })] });
  const shadow = new Shadow(pool, ["random"]);
  for (let i = 0; i < 2; i++) pool.expect(ask("expected", fraction(500)));
  pool.expect(ask("expected", whole(1)));
  pool.commit(planOf(pool, ask("first", fraction(500))));
  pool.adopt();
  const plan = planOf(pool, ask("second", fraction(500)));
  for (let i = 0; i < 40; i++) shadow.compare(plan);
  const { decisions, sameNode, sameDevices, destroyedMilli, referenceDestroyedMilli } = of(shadow, "random");
  assert.equal(sameNode, decisions);
  assert.ok(sameDevices > 0 && sameDevices < decisions);
  const worse = (referenceDestroyedMilli - destroyedMilli) / (decisions - sameDevices);
  about(destroyedMilli / decisions, 475);
  about(worse, 50);
});

test("every policy but the active one takes its turn", () => {
  const pool = twoNodes("fgd");
  const shadow = new Shadow(pool);
  const plan = planOf(pool, ask("next", whole(1)));
  const names = Object.keys(policies).filter((name) => name !== "fgd");
  assert.deepEqual([...shadow.counters().keys()], names);
  for (const _ of names) shadow.compare(plan);
  assert.deepEqual(
    [...shadow.counters().values()].map(({ decisions }) => decisions),
    names.map(() => 1),
  );
});

test("a comparison is due again when the last one is a hundredth of the time since it began", () => {
  const shadow = new Shadow(twoNodes("bpf"));
  assert.ok(shadow.isDue(0));
  shadow.compared(2, 1002);
  assert.equal(shadow.isDue(1199.9), false);
  assert.ok(shadow.isDue(1200));
});

test("a plan that has aged is not compared, nor a pool without prices", () => {
  const pool = twoNodes("bpf");
  const plan = planOf(pool, ask("next", whole(1)));
  pool.commit(plan);
  const shadow = new Shadow(pool);
  assert.throws(() => shadow.compare(plan), /node a has changed since the plan for session next/);
  assert.throws(() => new Shadow(twoNodes("fgd"), ["spread"]), /prices to compare by/);
});

for (const policy of ["bpf", "fgd"] as const) {
  test(`${policy}: nodes that come and go are compared too, and none before it has prices`, () => {
    const pool = twoNodes(policy);
    const shadow = new Shadow(pool);
    adopt(pool);
    const compare = (plan: PoolPlan): readonly number[] => {
      for (const _ of shadow.counters()) shadow.compare(plan);
      return [...shadow.counters().values()].map(({ decisions }) => decisions);
    };
    for (let i = 0; i < 6; i++) pool.join(node(`c${i}`, { gpus: 4, model: "C" }));
    pool.leave("a");
    assert.ok(compare(planOf(pool, ask("early", whole(4)))).every((decisions) => decisions === 0));
    adopt(pool);
    assert.ok(compare(planOf(pool, ask("late", whole(4)))).every((decisions) => decisions === 1));
    for (const { destroyedMilli, referenceDestroyedMilli } of shadow.counters().values())
      about(referenceDestroyedMilli, destroyedMilli);
  });
}
