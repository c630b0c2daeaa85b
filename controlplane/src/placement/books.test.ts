import assert from "node:assert/strict";
import { test } from "node:test";
import { ask, fraction, node, none, whole } from "../../test/node-specs.ts";
import type { Kind } from "./kind.ts";
import { Pool } from "./pool.ts";
import type { PoolRequest } from "./request.ts";

function kindOf(pool: Pool, request: PoolRequest): Kind {
  const kind = pool.kindOf(request);
  assert.ok(typeof kind !== "string");
  return kind;
}

test("the tightest device is the first with the least left that takes the fraction, -1 when none does", () => {
  const pool = new Pool({ nodes: [node("a", { gpus: 3 })] });
  const tightest = (milli: number): number =>
    pool.books.tightestDevice(0, kindOf(pool, ask("s", fraction(milli))));
  assert.equal(tightest(600), 0);
  pool.place(ask("s1", fraction(600)));
  assert.deepEqual([tightest(300), tightest(500)], [0, 1]);
  pool.place(ask("s2", whole(2)));
  assert.deepEqual([tightest(400), tightest(500)], [0, -1]);
});

test("requests of one size go where their size is already: fractions, one GPU and more", () => {
  for (const size of [fraction(500), whole(1), whole(2)]) {
    const pool = new Pool({ nodes: [node("large", { gpus: 16, model: "B" })], policy: "gpuClustering" });
    pool.place(ask("without", none));
    pool.join(node("small", { gpus: 2 }));
    const wanted = (): unknown => {
      const plan = pool.decide(ask("next", size));
      return plan.type === "plan" && plan.nodeId;
    };
    assert.equal(wanted(), "small", "the fuller one of two that host no GPU");
    pool.place(ask("first", size, { models: ["B"] }));
    assert.equal(wanted(), "large");
  }
});
