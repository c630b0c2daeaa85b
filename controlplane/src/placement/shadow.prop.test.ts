import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { columnsOf, type History, history, policy, poolWith, requestOf } from "../../test/histories.ts";
import type { PolicyName } from "./policies.ts";
import type { Pool, PoolPlan } from "./pool.ts";
import { Shadow, type ShadowCounters, shadowTimeShareMax } from "./shadow.ts";

/** Costs of `bpf` are hundredths of a GPU, so of two places it may take one that is 10 thousandths worse. */
const roundingMilli = 10 + 1e-6;
const everywhere = history.map((steps) =>
  steps.map(({ leaves, member }) => ({ leaves, member: { ...member, warm: "" } })),
);

/** Plays the history; what is planned is seen before it is booked. */
function play(pool: Pool, steps: History, planned?: (plan: PoolPlan) => void): string[] {
  const places: string[] = [];
  for (const [i, { member, leaves }] of steps.entries()) {
    const request = requestOf(`t${i}`, member);
    pool.arrived(request);
    const plan = pool.decide(request);
    places.push(plan.type === "plan" ? `${plan.nodeId}/${plan.mask}` : plan.reason);
    if (plan.type === "plan") {
      planned?.(plan);
      assert.notEqual(pool.commit(plan), "stale");
    }
    if (i % 12 === 11) pool.adopt();
    if (leaves) pool.release(`t${Math.floor(i / 2)}`);
  }
  return places;
}

function start(
  name: PolicyName,
  before: History,
  references?: readonly PolicyName[],
): { pool: Pool; shadow: Shadow } {
  const pool = poolWith(name, before);
  const shadow = new Shadow(pool, references);
  pool.adopt();
  return { pool, shadow };
}

function of(shadow: Shadow, name: PolicyName): ShadowCounters {
  const counters = shadow.counters().get(name);
  assert.ok(counters !== undefined);
  return counters;
}

test("a policy agrees with itself in every choice and loses nothing against itself", () => {
  fc.assert(
    fc.property(policy, history, history, (name, before, steps) => {
      fc.pre(name !== "random");
      const { pool, shadow } = start(name, before, name === "bpf" ? ["bpf"] : [name, "bpf"]);
      const compare = (plan: PoolPlan): void => {
        shadow.compare(plan);
        if (name !== "bpf") shadow.compare(plan);
      };
      play(pool, steps, compare);
      const { decisions, sameNode, sameDevices, destroyedMilli, referenceDestroyedMilli } = of(shadow, name);
      assert.deepEqual(
        [sameNode, sameDevices, destroyedMilli],
        [decisions, decisions, referenceDestroyedMilli],
      );
    }),
  );
});

test("no reference destroys less than bpf, and no policy less than bpf in its shadow, up to the rounding of costs", () => {
  fc.assert(
    fc.property(policy, everywhere, everywhere, (name, before, steps) => {
      const { pool, shadow } = start(name, before, name === "bpf" ? undefined : ["bpf"]);
      const sign = name === "bpf" ? 1 : -1;
      const lost = (): number =>
        [...shadow.counters().values()].reduce(
          (sum, one) => sum + one.destroyedMilli - one.referenceDestroyedMilli,
          0,
        );
      const compare = (plan: PoolPlan): void => {
        for (let i = 0; i < shadow.counters().size; i++) {
          const earlier = lost();
          shadow.compare(plan);
          assert.ok(
            sign * (lost() - earlier) <= roundingMilli,
            `${name} loses ${lost() - earlier} thousandths`,
          );
        }
      };
      play(pool, steps, compare);
    }),
  );
});

test("comparing changes no books and no decision", () => {
  fc.assert(
    fc.property(policy, history, history, (name, before, steps) => {
      const { pool, shadow } = start(name, before);
      const { pool: alone } = start(name, before);
      const compare = (plan: PoolPlan): void => {
        const columns = structuredClone(columnsOf(pool));
        for (let i = 0; i < shadow.counters().size; i++) shadow.compare(plan);
        assert.deepEqual(columnsOf(pool), columns);
      };
      assert.deepEqual(play(pool, steps, compare), play(alone, steps));
      assert.deepEqual(columnsOf(pool), columnsOf(alone));
    }),
  );
});

test("comparisons take no more than their share of the time, but for the last one", () => {
  const step = fc.record({ pauseMs: fc.nat(300), tookMs: fc.integer({ min: 1, max: 20 }) });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const { shadow } = start("bpf", []);
      let nowMs = 0;
      let spentMs = 0;
      for (const { pauseMs, tookMs } of steps) {
        nowMs += pauseMs;
        if (!shadow.isDue(nowMs)) continue;
        assert.ok(spentMs <= shadowTimeShareMax * nowMs + 1e-6);
        nowMs += tookMs;
        spentMs += tookMs;
        shadow.compared(tookMs, nowMs);
      }
    }),
  );
});
