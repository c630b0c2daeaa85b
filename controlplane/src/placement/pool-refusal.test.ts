import assert from "node:assert/strict";
import { test } from "node:test";
import { ask, fraction, node, none, whole } from "../../test/node-specs.ts";
import { Pool } from "./pool.ts";
import { describePoolRefusal } from "./pool-refusal.ts";
import type { PoolRequest } from "./request.ts";

const gib = 1024;
function refusal(pool: Pool, request: PoolRequest) {
  const outcome = pool.decide(request);
  assert.ok(outcome.type === "refusal" && "nearest" in outcome);
  return outcome;
}

test("a device that is short of milli is named as that, however little is left of it", () => {
  const pool = new Pool({ nodes: [node("a", { gpus: 1 })] });
  pool.place(ask("first", fraction(600)));
  assert.deepEqual(refusal(pool, ask("s", fraction(500))).nearest, {
    node: "a",
    constraint: "gpu_milli",
    wanted: 500,
    free: 400,
  });
  pool.place(ask("second", fraction(400)));
  assert.deepEqual(refusal(pool, ask("s", fraction(500))).nearest, {
    node: "a",
    constraint: "gpu_milli",
    wanted: 500,
    free: 0,
  });
  const full = new Pool({ nodes: [node("a", { gpus: 1 })] });
  full.place(ask("first", whole(1)));
  assert.deepEqual(refusal(full, ask("s", fraction(500))).nearest, {
    node: "a",
    constraint: "gpu_milli",
    wanted: 500,
    free: 0,
  });
});

test("a refused fraction names what the device lacks most", () => {
  const pool = new Pool({ nodes: [node("a", { gpus: 1, cardGib: 80 })] });
  const nearest = { node: "a", constraint: "gpu_memory", wanted: 90 * gib, free: 80 * gib };
  assert.deepEqual(refusal(pool, ask("s", fraction(100, 90 * gib))).nearest, nearest);
});

test("whole GPUs may ask for memory that only some devices have", () => {
  const cards = [
    ...node("small", { gpus: 2, cardGib: 24 }).gpus,
    ...node("large", { gpus: 1, cardGib: 80 }).gpus,
  ];
  const pool = new Pool({ nodes: [{ ...node("a"), gpus: cards }] });
  const placed = pool.place(ask("s", whole(1, 40 * gib)));
  assert.deepEqual("reason" in placed ? placed.reason : pool.devicesOf(placed).map(({ uuid }) => uuid), [
    "large-0",
  ]);
  const wanting = refusal(pool, ask("t", whole(1, 40 * gib)));
  assert.deepEqual(wanting.nearest, {
    node: "a",
    constraint: "gpu_memory",
    wanted: 40 * gib,
    free: 24 * gib,
  });
});

test("a refusal counts each node at what it fails first, and names the nearest", () => {
  const pool = new Pool({
    nodes: [node("a"), node("b", { cores: 1 }), node("c", { cores: 1.8 }), node("d", { gib: 1 })],
  });
  pool.setReady("a", false);
  const { failed, nearest, nodes } = refusal(pool, ask("s", none, { cores: 2, gib: 2 }));
  assert.deepEqual([nodes, failed.not_ready, failed.cpu, failed.memory], [4, 1, 2, 1]);
  assert.deepEqual(nearest, { node: "c", constraint: "cpu", wanted: 2000, free: 1800 });
  assert.equal(
    describePoolRefusal(pool.decide(ask("s", none, { cores: 2, gib: 2 })) as ReturnType<typeof refusal>),
    "none of 4 nodes has room now (not_ready: 1, cpu: 2, memory: 1); nearest is c: cpu wanted 2000, free 1800",
  );
});

test("a node without the model, or without the disk, is named as that", () => {
  const pool = new Pool({ nodes: [node("a", { gpus: 1, model: "A" })] });
  assert.equal(refusal(pool, ask("s", whole(1), { models: ["B"] })).nearest?.constraint, "gpu_model");
  const disk = refusal(pool, ask("s", none, { diskMib: 200 * gib })).nearest;
  assert.deepEqual(disk, { node: "a", constraint: "disk", wanted: 200 * gib, free: 100 * gib });
});

test("without nodes the refusal says to start one", () => {
  assert.equal(describePoolRefusal(refusal(new Pool({}), ask("s", none))), "no node is up; start one");
});
