import assert from "node:assert/strict";
import { test } from "node:test";
import { ask, fraction, node, whole } from "../../test/node-specs.ts";
import { Pool, type PoolRequest, policies } from "../placement/index.ts";
import { adoptIntervalMs, Upkeep } from "./upkeep.ts";

function open(wanted: readonly PoolRequest[]) {
  const made = { prices: 0, costs: 0 };
  const pool = new Pool({
    policy: (books) => {
      const policy = policies.bpf(books);
      const count = (what: keyof typeof made): void => void (made[what] += 1);
      return {
        ...policy,
        adopt: (outlook) => (count("prices"), policy.adopt?.(outlook)),
        cost: (at, kind) => (count("costs"), policy.cost(at, kind)),
      };
    },
  });
  const clock = { nowMs: 0, wallMs: () => 0, monotonicMs: () => clock.nowMs };
  const upkeep = new Upkeep({ pool, wanted: () => wanted, clock });
  return { pool, made, clock, upkeep };
}
/** All turns that are owed, at most so many. */
async function settle(turns = 10): Promise<void> {
  for (let i = 0; i < turns; i += 1) await new Promise((resolve) => setImmediate(resolve));
}

test("what the deployed agents ask for is expected before the first request, once", async () => {
  const { pool, made, clock, upkeep } = open([ask("half", fraction(500)), ask("one", whole(1))]);
  using _owned = upkeep;
  await settle();
  assert.deepEqual([made.prices, pool.mix.arrivals], [0, 0], "there is no node to price");
  pool.join(node("a", { gpus: 8 }));
  upkeep.nodesChanged();
  await settle();
  assert.deepEqual([made.prices, pool.mix.arrivals], [1, 2]);
  clock.nowMs += adoptIntervalMs;
  pool.join(node("b", { gpus: 4 }));
  upkeep.nodesChanged();
  await settle();
  assert.deepEqual([made.prices, pool.mix.arrivals], [2, 2]);
});

test("prices are made between decisions, and not twice within their interval", async () => {
  const { pool, made, clock, upkeep } = open([]);
  using _owned = upkeep;
  pool.join(node("a", { gpus: 8 }));
  await settle();
  pool.join(node("b", { gpus: 4 }));
  upkeep.decided();
  assert.equal(made.prices, 1);
  await settle();
  assert.equal(made.prices, 1);
  clock.nowMs += adoptIntervalMs;
  upkeep.decided();
  await settle();
  assert.equal(made.prices, 2);
});

test("kept costs are brought up to date between decisions, so that the next decision makes none", async () => {
  const { pool, made, upkeep } = open([]);
  using _owned = upkeep;
  for (let i = 0; i < 20; i += 1) pool.join(node(`n${i}`, { gpus: 8 }));
  await settle();
  pool.place(ask("s", fraction(500)));
  upkeep.decided();
  await settle();
  made.costs = 0;
  pool.decide(ask("t", fraction(500)));
  assert.equal(made.costs, 0);
});
