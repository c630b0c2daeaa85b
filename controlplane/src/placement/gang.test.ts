import assert from "node:assert/strict";
import { test } from "node:test";
import { bookGang } from "../../test/book-gang.ts";
import { ask, node, none, whole } from "../../test/node-specs.ts";
import { decideGang, type GangPlan, type GangRefusal, gangMembersMax } from "./gang.ts";
import { Pool } from "./pool.ts";
import { describePoolRefusal } from "./pool-refusal.ts";
import type { PoolRequest } from "./request.ts";

type Member = Parameters<typeof ask>[2];

function members(count: number, member: Member = {}, gpus = 1): PoolRequest[] {
  return Array.from({ length: count }, (_, i) => ask(`g${i}`, whole(gpus), member));
}

function planned(gang: GangPlan | GangRefusal): readonly string[] {
  assert.ok(gang.type === "gang", gang.type === "gang" ? "" : describePoolRefusal(gang.refusal));
  return gang.plans.map(({ nodeId }) => nodeId);
}

function refused(gang: GangPlan | GangRefusal): GangRefusal {
  assert.ok(gang.type === "gang-refusal", "the gang is placed");
  return gang;
}

test("a gang is placed whole or not at all, and leaves no trace when it is not", () => {
  const pool = new Pool({ nodes: [node("a", { gpus: 8 }), node("b", { gpus: 8 })] });
  assert.equal(refused(decideGang(pool, members(17))).member, 16);
  assert.equal(pool.books.usedMilli, 0);
  const gang = decideGang(pool, members(16));
  assert.ok(gang.type === "gang");
  assert.equal(pool.sessions.size, 0);
  bookGang(pool, gang);
  assert.equal(pool.books.usedMilli, 16_000);
});

test("what a gang that was not booked left on a node is not taken for what is there later", () => {
  const pool = new Pool({ nodes: [node("a", { gpus: 2 })] });
  assert.deepEqual(planned(decideGang(pool, members(1))), ["a"]);
  pool.place(ask("both", whole(2)));
  assert.equal(pool.decide(ask("late", whole(1))).type, "refusal");
});

test("a gang of nobody is placed", () => {
  const pool = new Pool({ nodes: [node("a", { gpus: 8 })] });
  assert.deepEqual(planned(decideGang(pool, [])), []);
});

test("a gang of gangMembersMax members is placed and one of one more is refused by that limit", () => {
  const nodes = Array.from({ length: gangMembersMax / 8 }, (_, i) => node(`n${i}`, { gpus: 8 }));
  const pool = new Pool({ nodes });
  const everywhere = planned(decideGang(pool, members(gangMembersMax)));
  assert.equal(new Set(everywhere).size, nodes.length);
  const { member, refusal } = refused(decideGang(pool, members(gangMembersMax + 1)));
  assert.equal(member, gangMembersMax);
  assert.equal(
    describePoolRefusal(refusal),
    "the request is malformed: 1025 members exceed gangMembersMax 1024",
  );
});

test("a gang that names one session twice, or one that is placed already, is refused", () => {
  const pool = new Pool({ nodes: [node("a", { gpus: 8 })] });
  const twice = refused(decideGang(pool, [ask("s", whole(1)), ask("t", whole(1)), ask("s", whole(2))]));
  assert.equal(twice.member, 2);
  assert.equal(
    describePoolRefusal(twice.refusal),
    "the request is malformed: session s is in the gang twice",
  );
  pool.place(ask("s", whole(1)));
  const placed = refused(decideGang(pool, [ask("t", whole(1)), ask("s", whole(1))]));
  assert.equal(placed.member, 1);
  assert.equal(describePoolRefusal(placed.refusal), "the request is malformed: session s is placed already");
});

test("a malformed member is named before anything is placed", () => {
  const pool = new Pool({ nodes: [node("a", { gpus: 8 })] });
  const { member, refusal } = refused(decideGang(pool, [ask("s", whole(1)), ask("t", whole(0))]));
  assert.equal(member, 1);
  assert.ok(refusal.reason === "invalid");
});

test("the members that ask for most are placed first, so that small ones do not break their sets", () => {
  const pool = new Pool({ nodes: [node("a", { gpus: 8 }), node("b", { gpus: 4 })], policy: "spread" });
  const gang = decideGang(pool, [...members(4), ask("big", whole(8))]);
  assert.deepEqual(planned(gang), ["b", "b", "b", "b", "a"]);
});

test("a label of one member counts for the next ones: kept apart, kept together, and spread over zones", () => {
  const nodes = ["a", "b", "c", "d"].map((id, i) => node(id, { gpus: 4, zone: `z${i >> 1}` }));
  const pool = new Pool({ nodes });
  const apart = { labels: ["g"], antiAffinity: ["g"] };
  assert.deepEqual(planned(decideGang(pool, members(4, apart))).toSorted(), ["a", "b", "c", "d"]);
  const crowded = refused(decideGang(pool, members(5, apart)));
  assert.ok(crowded.member === 4 && crowded.refusal.reason === "no_room");
  assert.equal(crowded.refusal.failed.anti_affinity, 4);
  const together = { labels: ["g"], affinity: ["g"] };
  assert.equal(new Set(planned(decideGang(pool, members(4, together)))).size, 1);
  assert.equal(refused(decideGang(pool, members(5, together))).member, 4);
  const zones = planned(decideGang(pool, members(8, { labels: ["g"], spreadLabel: "g" }))).map(
    (id) => "abcd".indexOf(id) >> 1,
  );
  assert.equal(zones.filter((zone) => zone === 0).length, 4);
  assert.equal(
    pool.labels.missesOf(ask("s", none, { affinity: ["g"], antiAffinity: ["g"] }))?.(0),
    "affinity",
    "no label stays",
  );
});

test("a quota counts the gang as a whole", () => {
  const quotas = new Map([["red", { gpuMilli: 4000 }]]);
  const pool = new Pool({ nodes: [node("a", { gpus: 8 })], quotas });
  assert.equal(planned(decideGang(pool, members(4))).length, 4);
  const { member, refusal } = refused(decideGang(pool, members(5)));
  assert.ok(member === 4 && refusal.reason === "quota");
  assert.deepEqual(refusal.miss, { amount: "gpuMilli", used: 4000, wanted: 1000, limit: 4000 });
  assert.equal(pool.quotas.usedBy("red").sessions, 0);
});
