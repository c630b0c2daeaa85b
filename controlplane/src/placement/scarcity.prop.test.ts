import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { ask, fraction, node, whole } from "../../test/node-specs.ts";
import { demandOf } from "./demand.ts";
import { classesOf } from "./node-classes.ts";
import { Pool } from "./pool.ts";
import type { PoolRequest } from "./request.ts";
import { scarcityOf } from "./scarcity.ts";

const requests = fc.record({
  gpu: fc.constantFrom(whole(1), whole(2), whole(4), fraction(190), fraction(460), fraction(810)),
  cores: fc.integer({ min: 1, max: 24 }),
  models: fc.constantFrom([], ["A"], ["B"], ["A", "B"], ["B", "C"]),
});

function poolOf(before: readonly PoolRequest[]): Pool {
  const pool = new Pool({
    nodes: [
      node("a", { gpus: 8, model: "A" }),
      node("b", { gpus: 4, model: "B", cores: 32 }),
      node("c", { gpus: 2, model: "C", cores: 24 }),
    ],
  });
  for (const request of before) pool.place(request);
  return pool;
}

/** Of one kind, in a mix of it and of requests for any whole GPU. */
function scarcityIn(pool: Pool, request: PoolRequest, setScarcity: number): number {
  const mix = [request, ask("any", whole(1))].map((one) => {
    const kind = pool.kindOf(one);
    assert.ok(typeof kind !== "string");
    return { kind, share: 0.5 };
  });
  const { wanted, valueOf } = demandOf(pool.books, mix, setScarcity);
  return (
    scarcityOf(pool.books, wanted, { classes: classesOf(pool.books), valueOf, setScarcity })[0] ?? Number.NaN
  );
}

const histories = fc
  .array(requests, { maxLength: 14, size: "max" })
  .map((all) => all.map((one, i) => ask(`s${i}`, one.gpu, one)));
const degrees = fc.constantFrom(0, 0.5, 1);

test("what any node can host is not scarce, and more models to choose from are never scarcer", () => {
  fc.assert(
    fc.property(histories, requests, degrees, (before, { gpu, cores }, setScarcity) => {
      const pool = poolOf(before);
      const of = (models: readonly string[]): number =>
        scarcityIn(pool, ask("r", gpu, { cores, models }), setScarcity);
      const [any, some, one] = [of([]), of(["A", "B"]), of(["B"])];
      assert.ok(any <= some + 1e-9 && some <= one + 1e-9, `${any}, ${some}, ${one} do not ascend`);
      assert.ok(Number.isFinite(one) && any > 0);
      if (gpu.type !== "whole" || gpu.count === 1) assert.equal(any, 1);
    }),
  );
});

test("a model gets scarcer with every GPU that is taken of it, and less scarce with those of other models", () => {
  fc.assert(
    fc.property(histories, fc.integer({ min: 1, max: 24 }), (before, cores) => {
      const pool = poolOf(before);
      const take = (session: string, model: string): boolean =>
        !("reason" in pool.place(ask(session, whole(1), { cores, models: [model] })));
      const ofB = (): number => scarcityIn(pool, ask("r", whole(1), { models: ["B"] }), 1);
      const first = ofB();
      const isTaken = take("t", "B");
      const second = ofB();
      assert.ok(isTaken ? second > first : second === first);
      assert.equal(take("u", "A"), ofB() < second);
    }),
  );
});

test("sets of GPUs are as scarce as their nodes while a pool fills, and as what is free of them once it is steady", () => {
  const pool = poolOf([]);
  const ofSets = (setScarcity: number): number => scarcityIn(pool, ask("r", whole(8)), setScarcity);
  assert.ok(Math.abs(ofSets(0) - 14 / 8) < 1e-9);
  const [idle, filling] = [ofSets(1), ofSets(0)];
  pool.place(ask("s", whole(1), { models: ["A"] }));
  assert.equal(ofSets(0), filling);
  assert.ok(ofSets(1) > 10 * idle, "the only set was broken");
});
