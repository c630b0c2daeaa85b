import assert from "node:assert/strict";
import { test } from "node:test";
import { ask, fraction, node, none, whole } from "../../test/node-specs.ts";
import { applyRoom, MoveBudget, planRoom } from "./make-room.ts";
import { amountMax } from "./node-spec.ts";
import { policies } from "./policies.ts";
import { Pool } from "./pool.ts";
import { describePoolRefusal, type PoolRefusal } from "./pool-refusal.ts";
import type { PoolRequest } from "./request.ts";

const mayLeave = (): boolean => true;

function placed(pool: Pool, request: PoolRequest): string {
  const result = pool.place(request);
  assert.ok(!("reason" in result), "reason" in result ? describePoolRefusal(result) : "");
  return pool.books.idOf(result.node);
}

function refused(pool: Pool, request: PoolRequest): PoolRefusal {
  const result = pool.decide(request);
  assert.ok(result.type === "refusal", `${request.session} is placed`);
  return result;
}

test("a fraction without memory takes its part of the card's memory and one with memory takes that", () => {
  const pool = new Pool({ nodes: [node("n", { gpus: 1, cardGib: 80 })] });
  placed(pool, ask("a", fraction(250)));
  placed(pool, ask("b", fraction(250, 10_000)));
  const shares = [...pool.sessions.values()].flatMap((one) => pool.devicesOf(one));
  assert.deepEqual(shares, [
    { uuid: "n-0", whole: false, milli: 250, memoryMib: 20_480 },
    { uuid: "n-0", whole: false, milli: 250, memoryMib: 10_000 },
  ]);
});

test("a session of whole GPUs has all of each, and counts among those that come and go", () => {
  const pool = new Pool({ nodes: [node("n", { gpus: 1, cardGib: 80 })] });
  placed(pool, ask("a", whole(1)));
  const shares = [...pool.sessions.values()].flatMap((one) => pool.devicesOf(one));
  assert.deepEqual(shares, [{ uuid: "n-0", whole: true, milli: 1000, memoryMib: 81_920 }]);
  assert.equal(pool.mix.churn(), 0);
  pool.release("a");
  assert.equal(pool.mix.churn(), 1);
  placed(pool, ask("b", whole(1)));
  pool.unbookGone(pool.sessions.get("b") ?? assert.fail());
  assert.equal(pool.mix.churn(), 1);
});

test("a fraction by memory alone takes the same part of the card's time", () => {
  const pool = new Pool({ nodes: [node("n", { gpus: 1, cardGib: 80 })] });
  placed(pool, ask("a", fraction(0, 40_960)));
  placed(pool, ask("b", fraction(0, 40_960)));
  const refusal = refused(pool, ask("c", fraction(0, 1000)));
  assert.equal(
    describePoolRefusal(refusal),
    "none of 1 nodes has room now (gpu_milli: 1); nearest is n: gpu_milli wanted 12, free 0",
  );
});

test("only shared sessions share a device with another namespace", () => {
  const pool = new Pool({ nodes: [node("n", { gpus: 2 })] });
  placed(pool, ask("red", fraction(300), { isolation: "process" }));
  placed(pool, ask("blue", fraction(300), { namespace: "blue" }));
  placed(pool, ask("red2", fraction(300), { isolation: "process" }));
  placed(pool, ask("green", fraction(300), { namespace: "green" }));
  const on = (session: string): number => pool.sessions.get(session)?.mask ?? 0;
  assert.equal(on("red"), on("red2"));
  assert.equal(on("blue"), on("green"));
  assert.notEqual(on("red"), on("blue"));
  const refusal = refused(pool, ask("g", fraction(300), { namespace: "green", isolation: "process" }));
  assert.ok(refusal.reason === "no_room");
  assert.equal(refusal.failed.gpu_mode, 1);
});

test("a dedicated fraction gets a device that nobody else gets", () => {
  const pool = new Pool({ nodes: [node("n", { gpus: 1 })] });
  placed(pool, ask("a", fraction(100), { isolation: "dedicated" }));
  const refusal = refused(pool, ask("b", fraction(100), { isolation: "dedicated" }));
  assert.ok(refusal.reason === "no_room");
  assert.equal(refusal.failed.gpu_count, 1);
});

test("a request that no node could ever take is impossible, not out of room", () => {
  const pool = new Pool({ nodes: [node("n", { gpus: 8 }), node("m")] });
  const refusal = refused(pool, ask("s", whole(9)));
  assert.equal(
    describePoolRefusal(refusal),
    "none of 2 nodes could take it even empty (gpu_count: 2); nearest is n: gpu_count wanted 9, free 8",
  );
  const unknown = refused(pool, ask("s", whole(1), { models: ["nowhere"] }));
  assert.ok(unknown.reason === "impossible");
  assert.deepEqual([unknown.failed.gpu_model, unknown.failed.gpu_count], [1, 1]);
});

test("absurd amounts are refused by name", () => {
  const pool = new Pool({ nodes: [node("n", { gpus: 8 })] });
  const problem = (request: PoolRequest): string => describePoolRefusal(refused(pool, request));
  assert.equal(
    problem(ask("s", none, { cores: -1 })),
    "the request is malformed: cpuMilli -1000 is not 0, 1, 2, ...",
  );
  assert.equal(
    problem(ask("s", none, { gib: 2 ** 40 })),
    `the request is malformed: memoryMib ${2 ** 50} exceeds amountMax ${amountMax}`,
  );
  assert.equal(
    problem(ask("s", whole(0))),
    "the request is malformed: GPU count 0 is not a whole number from 1 to 1024",
  );
  assert.equal(
    problem(ask("s", whole(1e9))),
    "the request is malformed: GPU count 1000000000 is not a whole number from 1 to 1024",
  );
  assert.equal(
    problem(ask("s", fraction(1000))),
    "the request is malformed: GPU milli 1000 is not a whole number from 0 to 999",
  );
  assert.equal(
    problem(ask("s", fraction(0))),
    "the request is malformed: a fraction names neither milli nor memory",
  );
  assert.equal(
    problem(ask("s", none, { diskMib: Number.NaN })),
    "the request is malformed: diskMib NaN is not 0, 1, 2, ...",
  );
});

test("a pool of a million nodes is refused by its limit", () => {
  const nodes = Array.from({ length: 1_000_000 }, () => node("n"));
  assert.throws(() => new Pool({ nodes }), /1000000 nodes exceed nodesMax 100000; split them into pools/);
});

test("labels bring sessions together, keep them apart in both directions, and spread them over zones", () => {
  const nodes = ["a", "b", "c", "d"].map((id, i) => node(id, { zone: `z${i % 2}` }));
  const pool = new Pool({ nodes });
  const first = placed(pool, ask("db", none, { labels: ["db"] }));
  assert.equal(placed(pool, ask("web", none, { affinity: ["db"] })), first);
  const lonely = placed(pool, ask("lonely", none, { antiAffinity: ["db"], labels: ["lonely"] }));
  assert.notEqual(lonely, first);
  for (let i = 0; i < 3; i++) assert.notEqual(placed(pool, ask(`db${i}`, none, { labels: ["db"] })), lonely);
  const zone = (id: string): string => nodes.find((spec) => spec.id === id)?.zone ?? "";
  const zones = Array.from({ length: 6 }, (_, i) =>
    zone(placed(pool, ask(`s${i}`, none, { labels: ["x"], spreadLabel: "x" }))),
  );
  assert.equal(zones.filter((one) => one === "z0").length, 3);
  const refusal = refused(pool, ask("no", none, { affinity: ["nowhere"] }));
  assert.ok(refusal.reason === "no_room");
  assert.equal(refusal.failed.affinity, 4);
  assert.equal(refused(pool, ask("other", none, { namespace: "blue", affinity: ["db"] })).reason, "no_room");
});

test("a session goes back to its warm node unless that costs more than the warmth is worth", () => {
  const nodes = [node("a", { gpus: 8 }), node("b", { gpus: 8 })];
  const pool = new Pool({ nodes });
  const taken = placed(pool, ask("one", whole(1)));
  const other = taken === "a" ? "b" : "a";
  pool.adopt({ mix: [], churn: 0 });
  assert.equal(placed(pool, ask("cold", none)), taken);
  assert.equal(placed(pool, ask("warm", none, { warmNode: other })), other);
  for (let i = 0; i < 40; i++) pool.expect(ask(`e${i}`, whole(8), { cores: 64 }));
  pool.adopt();
  assert.equal(
    placed(pool, ask("gpu", whole(1), { warmNode: other })),
    taken,
    "it would break a set of eight",
  );
});

test("a quota counts placed sessions, and again when one wakes", () => {
  const quotas = new Map([["red", { gpuMilli: 1500, sessions: 3 }]]);
  const pool = new Pool({ nodes: [node("n", { gpus: 8 })], quotas });
  placed(pool, ask("a", whole(1)));
  placed(pool, ask("b", fraction(500)));
  assert.equal(
    describePoolRefusal(refused(pool, ask("c", fraction(100)))),
    "namespace red uses 1500 of its quota of 1500 gpuMilli and asks for 100 more; put sessions to sleep, or raise it with `voda quota set`",
  );
  pool.release("a");
  placed(pool, ask("c", whole(1), { warmNode: "n" }));
  assert.equal(refused(pool, ask("a", whole(1), { warmNode: "n" })).reason, "quota");
  placed(pool, ask("free", whole(8 - 2), { namespace: "blue" }));
});

test("sessions move to make room for a set of GPUs, and a plan that has aged is refused", () => {
  const pool = new Pool({ nodes: [node("a", { gpus: 2 }), node("b", { gpus: 2 })], policy: "spread" });
  placed(pool, ask("one", whole(1)));
  placed(pool, ask("two", whole(1)));
  const big = ask("big", whole(2));
  assert.equal(refused(pool, big).reason, "no_room");
  assert.equal(planRoom(pool, big, { how: "move", mayLeave: () => false, most: 8 }), undefined);
  assert.equal(planRoom(pool, big, { how: "move", mayLeave, most: 0 }), undefined);
  const plan = planRoom(pool, big, { how: "move", mayLeave, most: 1 });
  assert.ok(plan !== undefined);
  assert.equal(plan.leaving.length, 1);
  const before = pool.books.usedMilli;
  assert.equal(before, 2000, "a plan changes nothing");
  placed(pool, ask("between", none));
  placed(pool, ask("between2", none));
  assert.equal(applyRoom(pool, plan), "stale");
  const again = planRoom(pool, big, { how: "move", mayLeave, most: 1 });
  assert.ok(again !== undefined && applyRoom(pool, again) !== "stale");
  assert.equal(pool.books.usedMilli, 4000);
});

test("no session moves for one of its own size, but an idle one sleeps for it", () => {
  const pool = new Pool({ nodes: [node("a", { gpus: 1 }), node("b", { gpus: 1, model: "B" })] });
  placed(pool, ask("one", whole(1), { models: ["A"] }));
  assert.equal(
    planRoom(pool, ask("two", whole(1), { models: ["A"] }), { how: "move", mayLeave, most: 1 }),
    undefined,
  );
  assert.equal(
    planRoom(pool, ask("two", whole(1), { models: ["A"] }), { how: "sleep", mayLeave, most: 1 })?.leaving
      .length,
    1,
  );
});

test("idle sessions are put to sleep where they are to make room", () => {
  const pool = new Pool({ nodes: [node("a", { gpus: 1 })] });
  placed(pool, ask("busy", fraction(400)));
  placed(pool, ask("idle", fraction(400)));
  const wanted = ask("new", fraction(500));
  const isIdle = ({ request }: { readonly request: PoolRequest }): boolean => request.session === "idle";
  assert.equal(planRoom(pool, wanted, { how: "move", mayLeave: isIdle, most: 4 }), undefined);
  const plan = planRoom(pool, wanted, { how: "sleep", mayLeave: isIdle, most: 4 });
  assert.deepEqual(plan?.leaving, [{ session: "idle", from: 0, to: undefined }]);
  assert.ok(plan !== undefined && applyRoom(pool, plan) !== "stale");
  assert.deepEqual([...pool.sessions.keys()], ["busy", "new"]);
});

test("a room plan that the quota no longer allows puts nobody to sleep", () => {
  const pool = new Pool({
    nodes: [node("a", { gpus: 1 }), node("b")],
    quotas: new Map([["blue", { sessions: 1 }]]),
  });
  placed(pool, ask("idle", whole(1)));
  const wanted = ask("new", whole(1), { namespace: "blue" });
  const plan = planRoom(pool, wanted, { how: "sleep", mayLeave, most: 1 });
  assert.ok(plan !== undefined);
  assert.equal(placed(pool, ask("other", none, { namespace: "blue", warmNode: "b" })), "b");
  assert.equal(applyRoom(pool, plan), "stale");
  assert.deepEqual([...pool.sessions.keys()], ["idle", "other"]);
});

test("moves are limited to so many per minute", () => {
  const budget = new MoveBudget(6, 0);
  assert.equal(budget.spend(4, 0), true);
  assert.equal(budget.spend(3, 0), false);
  assert.equal(budget.left(10_000), 3);
  assert.equal(budget.spend(3, 10_000), true);
  assert.equal(budget.left(3_600_000), 6);
});

test("a node that is not ready gets nothing and keeps what it has", () => {
  const pool = new Pool({ nodes: [node("a")] });
  placed(pool, ask("s", none));
  pool.books.setReady(0, false);
  const refusal = refused(pool, ask("t", none));
  assert.ok(refusal.reason === "no_room");
  assert.deepEqual([refusal.failed.not_ready, refusal.nearest], [1, undefined]);
  assert.ok(pool.release("s") !== undefined);
});

test("every policy places a request that fits somewhere", () => {
  for (const name of Object.keys(policies) as (keyof typeof policies)[]) {
    const pool = new Pool({ nodes: [node("small", { gpus: 1 }), node("big", { gpus: 8 })], policy: name });
    assert.equal(placed(pool, ask("s", whole(4))), "big", name);
  }
});

test("a pool outlives more shapes than it remembers", () => {
  const pool = new Pool({ nodes: [node("n", { gpus: 8, cores: 1000 })] });
  for (let i = 0; i < 5000; i++) {
    placed(pool, ask(`s${i}`, none, { cores: 1 + i / 1000 }));
    if (i > 0) pool.release(`s${i - 1}`);
    if (pool.isAdoptDue()) pool.adopt();
  }
  assert.equal(pool.sessions.size, 1);
  assert.equal(pool.books.cpuMilli[0], 1_000_000 - 5999);
});

test("new prices are due when the mix has doubled, and when the GPUs in use have changed", () => {
  const pool = new Pool({ nodes: Array.from({ length: 10 }, (_, i) => node(`n${i}`, { gpus: 8 })) });
  for (let i = 0; i < 100; i++) pool.expect(ask(`e${i}`, none));
  assert.ok(pool.isAdoptDue());
  pool.adopt();
  for (let i = 0; i < 20; i++) pool.arrived(ask(`a${i}`, none));
  for (let i = 0; i < 3; i++) placed(pool, ask(`g${i}`, whole(1)));
  assert.ok(!pool.isAdoptDue(), "3 of 80 GPUs are less than 4 %");
  placed(pool, ask("g3", whole(1)));
  assert.ok(pool.isAdoptDue());
  pool.adopt();
  assert.ok(!pool.isAdoptDue());
});
