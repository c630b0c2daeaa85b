import assert from "node:assert/strict";
import { test } from "node:test";
import { ask, fraction, node, none, whole } from "../../test/node-specs.ts";
import { fractionPrices } from "./fraction-prices.ts";
import { Pool } from "./pool.ts";

test("a rest is worth what the fractions inside it pay, and a whole device is worth one", () => {
  const { valueOf, priceOf } = fractionPrices(
    new Map([
      [810, 10],
      [460, 10],
      [220, 1],
    ]),
  );
  assert.deepEqual([valueOf[190], valueOf[1000]], [0, 1]);
  assert.ok(Math.abs((valueOf[460] ?? 0) - 0.5) < 1e-6 && Math.abs((valueOf[540] ?? 0) - 0.5) < 1e-6);
  assert.equal(priceOf(810), 1);
  assert.equal(priceOf(700), 0.7, "a size that nobody asked for has its own size");
  assert.equal(fractionPrices(new Map()).valueOf[999], 0);
  assert.equal(fractionPrices(new Map()).valueOf[1000], 1);
});

/** A pool that expects the given requests. */
function poolOf(nodes: Parameters<typeof node>[], expected: readonly ReturnType<typeof ask>[]): Pool {
  const pool = new Pool({ nodes: nodes.map((one) => node(...one)) });
  for (const request of expected) pool.expect(request);
  pool.adopt();
  return pool;
}

test("a fraction goes into the rest that nothing better fits, not onto a whole device", () => {
  const sizes = [460, 540, 300, 250].flatMap((milli) =>
    Array.from({ length: 10 }, (_, i) => ask(`${milli}/${i}`, fraction(milli))),
  );
  const pool = poolOf([["n", { gpus: 3 }]], [...sizes, ask("w", whole(1))]);
  pool.place(ask("a", fraction(460)));
  pool.place(ask("b", fraction(540)));
  const masks = ["a", "b"].map((session) => pool.sessions.get(session)?.mask);
  assert.equal(masks[0], masks[1]);
  pool.place(ask("c", fraction(810)));
  assert.notEqual(pool.sessions.get("c")?.mask, masks[0]);
});

test("a request without GPU keeps off the node whose GPUs need its cores", () => {
  const expected = Array.from({ length: 10 }, (_, i) => ask(`e${i}`, whole(1), { cores: 12 }));
  const pool = poolOf(
    [
      ["gpus", { gpus: 8, cores: 96 }],
      ["cores", { gpus: 1, cores: 96 }],
    ],
    expected,
  );
  const placed = pool.place(ask("s", none, { cores: 16 }));
  assert.ok(!("reason" in placed));
  assert.equal(pool.books.idOf(placed.node), "cores");
});

test("a request without GPU keeps off the node whose GPUs need its memory", () => {
  const expected = Array.from({ length: 10 }, (_, i) => ask(`e${i}`, whole(1), { cores: 1, gib: 90 }));
  const pool = poolOf(
    [
      ["tight", { gpus: 8, gib: 768 }],
      ["wide", { gpus: 8, gib: 2048 }],
    ],
    expected,
  );
  const placed = pool.place(ask("s", none, { cores: 1, gib: 200 }));
  assert.ok(!("reason" in placed));
  assert.equal(pool.books.idOf(placed.node), "wide");
});

test("a request for one GPU leaves whole the model that only others can use", () => {
  const expected = Array.from({ length: 10 }, (_, i) =>
    ask(`e${i}`, whole(1), { models: i < 5 ? ["rare"] : [] }),
  );
  const pool = poolOf(
    [
      ["rare", { gpus: 2, model: "rare" }],
      ["common", { gpus: 8, model: "common" }],
    ],
    expected,
  );
  for (let i = 0; i < 4; i++) {
    const placed = pool.place(ask(`s${i}`, whole(1)));
    assert.ok(!("reason" in placed));
    assert.equal(pool.books.idOf(placed.node), "common");
  }
});

test("a model that few requests need is used by others too, but not to its end", () => {
  const expected = Array.from({ length: 50 }, (_, i) =>
    ask(`e${i}`, whole(1), { cores: i % 2 === 0 ? 4 : 16, models: i < 2 ? ["rare"] : [] }),
  );
  // With few cores per GPU the rare model is the cheapest as long as there is plenty of it.
  const common = Array.from(
    { length: 6 },
    (_, i): Parameters<typeof node> => [`c${i}`, { gpus: 8, model: "common", cores: 160 }],
  );
  const pool = poolOf([["rare", { gpus: 8, model: "rare", cores: 40 }], ...common], expected);
  const onRare = (): number =>
    [...pool.sessions.values()].filter((placed) => pool.books.idOf(placed.node) === "rare").length;
  for (let i = 0; i < 30; i++) {
    const plan = pool.decide(ask(`s${i}`, whole(1)));
    assert.ok(plan.type === "plan" && pool.commit(plan) !== "stale");
    if (i === 0) assert.equal(onRare(), 1);
    pool.adopt();
  }
  assert.ok(onRare() <= 6, `two are left for who can use nothing else, not ${8 - onRare()}`);
});
