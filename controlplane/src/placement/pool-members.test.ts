// Nodes that come and go while a pool lives, and where sessions without GPUs go.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ask, fraction, node, none, whole } from "../../test/node-specs.ts";
import { Pool } from "./pool.ts";
import type { PoolRequest } from "./request.ts";

function placed(pool: Pool, request: PoolRequest): string {
  const result = pool.place(request);
  return "reason" in result ? result.reason : pool.books.idOf(result.node);
}
/** Names neither CPU nor memory. */
const plain = (session: string): PoolRequest => ask(session, none, { cores: 0, gib: 0 });

test("a pool that began empty grows with its nodes, and a slot that was left goes to the next", () => {
  const pool = new Pool({});
  assert.equal(placed(pool, plain("early")), "impossible");
  for (let i = 0; i < 100; i++) pool.join(node(`n${i}`, { gpus: i % 3 }));
  for (let i = 0; i < 100; i++)
    assert.notEqual(placed(pool, ask(`s${i}`, whole(1), { cores: 90 })), "impossible");
  assert.deepEqual([pool.books.nodes, pool.sessions.size, pool.books.capacityMilli], [100, 66, 99_000]);
  const [gone, stays] = [pool.books.slotOf("n1"), pool.books.slotOf("n2")];
  pool.leave("n1");
  assert.deepEqual(
    [pool.sessions.size, pool.books.slotOf("n1"), pool.books.capacityMilli],
    [65, undefined, 98_000],
  );
  assert.equal(pool.join(node("new", { gpus: 16 })), gone);
  assert.equal(placed(pool, ask("big", whole(16))), "new");
  assert.equal(pool.books.slotOf("n2"), stays);
  assert.equal(pool.sessionsOn(stays ?? -1).size, 1);
});

test("a node is refused by its limit and its name", () => {
  const pool = new Pool({ nodes: [node("n")] });
  assert.throws(() => pool.join(node("n")), /node n: its id is taken by another node/);
  assert.throws(() => pool.join(node("m", { gpus: 17 })), /node m: 17 GPUs exceed gpusPerNodeMax 16/);
  for (let i = 0; i < 30; i++) pool.join(node(`m${i}`, { gpus: 1, model: `M${i}` }));
  assert.throws(
    () => pool.join(node("x", { gpus: 1, model: "X" })),
    /node x: 31 GPU models exceed modelsMax 30/,
  );
  assert.equal(pool.books.nodes, 31);
});

test("a node whose like was never there is taken last until there are new prices", () => {
  const pool = new Pool({ nodes: [node("a", { gpus: 8 }), node("b", { gpus: 8 })] });
  for (let i = 0; i < 40; i++) pool.expect(ask(`e${i}`, i % 2 === 0 ? whole(8) : fraction(500)));
  pool.adopt();
  pool.join(node("single", { gpus: 1 }));
  assert.equal(pool.isAdoptDue(), true);
  assert.notEqual(placed(pool, ask("before", fraction(500), { cores: 1 })), "single");
  pool.release("before");
  pool.adopt();
  assert.equal(pool.isAdoptDue(), false);
  assert.equal(
    placed(pool, ask("after", fraction(500), { cores: 1 })),
    "single",
    "it would break a set of eight",
  );
  pool.adopt();
  pool.join(node("c", { gpus: 8 }));
  assert.equal(pool.isAdoptDue(), false, "its like is there");
});

test("kept costs are made anew when a node comes that is larger than all before", () => {
  const pool = new Pool({ nodes: [node("a", { gpus: 2 }), node("b", { gpus: 1 })], policy: "bestFit" });
  const kind = pool.kindOf(ask("s", whole(1)));
  assert.ok(typeof kind !== "string");
  const before = pool.ranking.costOn(kind, 0);
  pool.join(node("large", { gpus: 16, cores: 900 }));
  assert.notEqual(pool.ranking.costOn(kind, 0), before);
  assert.equal(pool.ranking.costOn(kind, 0), pool.policy.cost(0, kind));
});

test("sessions that name nothing spread evenly over idle nodes", () => {
  const pool = new Pool({});
  for (const id of ["a", "b", "c"]) pool.join(node(id));
  for (let i = 0; i < 300; i++) placed(pool, plain(`s${i}`));
  assert.deepEqual([...pool.books.sessions.subarray(0, 3)], [100, 100, 100]);
});

test("sessions that name nothing go to the most room, and keep away from GPUs while there is another place", () => {
  const pool = new Pool({
    nodes: [node("gpus", { gpus: 8 }), node("small", { cores: 1, gib: 1 }), node("large")],
  });
  assert.equal(placed(pool, ask("heavy", none, { cores: 1, gib: 1 })), "small");
  assert.deepEqual([placed(pool, plain("1")), placed(pool, plain("2"))], ["large", "large"]);
  pool.setReady("large", false);
  assert.equal(placed(pool, plain("3")), "gpus");
});

test("sessions that name CPU or memory go to the tightest node that fits", () => {
  const pool = new Pool({ nodes: [node("a", { cores: 4, gib: 8 }), node("b", { cores: 1, gib: 4 })] });
  assert.equal(placed(pool, ask("cpu", none, { cores: 0.5, gib: 0 })), "b");
  assert.equal(placed(pool, ask("more", none, { cores: 0.9, gib: 0 })), "a");
  assert.equal(placed(pool, ask("memory", none, { cores: 0, gib: 3 })), "b");
  assert.equal(placed(pool, ask("much", none, { cores: 0, gib: 3 })), "a");
});
