// When costs are made anew, told by counting how often the policy is asked.
import assert from "node:assert/strict";
import { test } from "node:test";
import { prng } from "@voda/stdx";
import { ask, node, none, whole } from "../../test/node-specs.ts";
import type { Kind } from "./kind.ts";
import { Pool } from "./pool.ts";
import { Ranking } from "./ranking.ts";
import type { PoolRequest } from "./request.ts";

const count = 20;

function openRanking() {
  const pool = new Pool({ nodes: Array.from({ length: count }, (_, i) => node(`n${i}`, { gpus: 8 })) });
  const asked: number[] = [];
  const prices = new Map<number, number>();
  const policy = {
    name: "counting",
    tie: "first" as const,
    chosen: { device: -1 },
    cost(at: number): number {
      asked.push(at);
      return prices.get(at) ?? 100;
    },
  };
  const kinds = [1, 2, 3].map((gpus): Kind => {
    const kind = pool.kindOf(ask("s", whole(gpus)));
    assert.ok(typeof kind !== "string");
    return kind;
  });
  const ranking = new Ranking(pool.books, policy, prng(1));
  return { pool, ranking, kinds, prices, asked: () => asked.splice(0) };
}

test("after prices have changed the cost of every node is made again", () => {
  const { ranking, kinds, prices, asked } = openRanking();
  const [kind] = kinds;
  assert.ok(kind !== undefined);
  for (let cheapest = 0; cheapest < count; cheapest += 1) {
    prices.clear();
    prices.set(cheapest, 1);
    ranking.forget();
    assert.deepEqual(ranking.pick(kind), { node: cheapest, cost: 1 });
    assert.deepEqual(asked(), [...Array(count).keys()]);
    ranking.pick(kind);
    assert.deepEqual(asked(), [], "costs are kept");
  }
});

test("catching up as often as there are kinds leaves none of them behind", () => {
  const { pool, ranking, kinds, asked } = openRanking();
  for (const upTo of [1, 2, 3]) {
    const some = kinds.slice(0, upTo);
    for (const kind of some) ranking.pick(kind);
    pool.place(ask(`s${upTo}`, whole(1)));
    asked();
    for (const _ of some) ranking.catchUp();
    assert.equal(asked().length, upTo, "the changed node, for each kind");
    for (const kind of some) ranking.pick(kind);
    assert.deepEqual(asked(), []);
  }
});

test("catching up before anything was asked for is nothing", () => {
  const { ranking, asked } = openRanking();
  ranking.catchUp();
  assert.deepEqual(asked(), []);
});

test("the best of the blocks are those of now", () => {
  const { pool, ranking, kinds, prices } = openRanking();
  const [kind] = kinds;
  assert.ok(kind !== undefined);
  prices.set(0, 1);
  assert.deepEqual(ranking.bestOfBlocks(kind, 1), [{ node: 0, cost: 1 }]);
  prices.set(0, 500);
  pool.place(ask("s", whole(8), { cores: 96, gib: 768 }));
  assert.deepEqual(ranking.bestOfBlocks(kind, 1), [{ node: 1, cost: 100 }]);
});

test("sessions that name nothing go where there is most room; among equals, where the fewest are", () => {
  const pool = new Pool({ nodes: [node("a"), node("b")] });
  const placed = (request: PoolRequest): string => {
    const plan = pool.place(request);
    assert.ok("node" in plan);
    return pool.books.idOf(plan.node);
  };
  const idle = [1, 2, 3, 4].map((i) => placed(ask(`idle${i}`, none, { cores: 0, gib: 0 })));
  assert.deepEqual(idle, ["a", "b", "a", "b"]);
  const big = placed(ask("big", none, { cores: 40, labels: ["big"] }));
  for (const name of ["s1", "s2"])
    assert.notEqual(placed(ask(name, none, { cores: 1, gib: 1, antiAffinity: ["big"] })), big);
  assert.notEqual(placed(ask("next", none, { cores: 0, gib: 0 })), big, "more sessions, and more room");
});
