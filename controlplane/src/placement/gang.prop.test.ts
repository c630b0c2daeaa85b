import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { bookGang } from "../../test/book-gang.ts";
import {
  columnsOf,
  history,
  member,
  type PlacedMember,
  policy,
  poolWith,
  requestOf,
} from "../../test/histories.ts";
import { decideGang } from "./gang.ts";
import type { Pool } from "./pool.ts";
import type { PoolRequest } from "./request.ts";

const timesMax = 12;
const gang = fc.array(fc.record({ member, times: fc.integer({ min: 1, max: timesMax }) }), { maxLength: 5 });
/** In turns, so that kinds that ask for the same size alternate. */
function membersOf(
  parts: readonly { readonly member: PlacedMember; readonly times: number }[],
): readonly PoolRequest[] {
  const turns = Array.from({ length: timesMax }, (_, turn) => parts.filter(({ times }) => turn < times));
  return turns.flat().map((part, i) => requestOf(`g${i}`, part.member));
}

/**
 * By the definition: large ones first, kinds after each other, each decided on the books with those before.
 */
function oneByOne(
  pool: Pool,
  requests: readonly PoolRequest[],
): readonly string[] | { readonly member: number; readonly reason: string } {
  const members = requests.map((request, at) => ({ request, at, kind: pool.kindOf(request) }));
  const size = ({ kind }: (typeof members)[number]): readonly [number, number, number] => {
    assert.ok(typeof kind !== "string");
    return [kind.isFraction ? kind.gpuMilli : kind.gpuCount * 1000, kind.cpuMilli, -kind.index];
  };
  const sorted = members.toSorted(
    (a, b) =>
      size(b)
        .map((x, i) => x - (size(a)[i] ?? 0))
        .find((x) => x !== 0) ?? a.at - b.at,
  );
  const places: string[] = [];
  for (const { request, at } of sorted) {
    const plan = pool.decide(request);
    if (plan.type === "refusal") return { member: at, reason: plan.reason };
    assert.notEqual(pool.commit(plan), "stale");
    places[at] = `${plan.nodeId}/${plan.mask}`;
  }
  return places;
}

test("a gang goes where its members go one by one, and is refused where they are", () => {
  fc.assert(
    fc.property(policy, history, gang, (name, steps, parts) => {
      const requests = membersOf(parts);
      const decided = decideGang(poolWith(name, steps), requests);
      const expected = oneByOne(poolWith(name, steps), requests);
      if (decided.type === "gang")
        assert.deepEqual(
          decided.plans.map(({ nodeId, mask }) => `${nodeId}/${mask}`),
          expected,
        );
      else assert.deepEqual({ member: decided.member, reason: decided.refusal.reason }, expected);
    }),
    { numRuns: 200 },
  );
});

test("deciding a gang leaves the books, their versions and the decision of every kind as they were", () => {
  fc.assert(
    fc.property(policy, history, gang, fc.array(member, { maxLength: 8 }), (name, steps, parts, others) => {
      fc.pre(name !== "random");
      const pool = poolWith(name, steps);
      const before = structuredClone(columnsOf(pool));
      const decide = (): unknown => others.map((one, i) => pool.decide(requestOf(`o${i}`, one)));
      const decisions = decide();
      const decided = decideGang(pool, membersOf(parts));
      assert.deepEqual(columnsOf(pool), before);
      assert.deepEqual(decide(), decisions);
      if (decided.type === "gang") {
        const sessions = pool.sessions.size;
        bookGang(pool, decided);
        assert.equal(pool.sessions.size, sessions + decided.plans.length);
      }
    }),
  );
});

test("what a kind was told of a gang that was not booked is never taken for what comes after it", () => {
  fc.assert(
    fc.property(policy, history, gang, history, (name, steps, parts, later) => {
      fc.pre(name !== "random");
      const [disturbed, calm] = [poolWith(name, steps), poolWith(name, steps)];
      decideGang(disturbed, membersOf(parts));
      for (const [i, { member: one, leaves }] of later.entries()) {
        const request = requestOf(`t${i}`, one);
        const [decided, expected] = [disturbed.decide(request), calm.decide(request)];
        assert.equal(
          decided.type === "plan" ? decided.nodeId : "",
          expected.type === "plan" ? expected.nodeId : "",
        );
        if (decided.type === "plan" && expected.type === "plan") {
          disturbed.commit(decided);
          calm.commit(expected);
        }
        if (!leaves) continue;
        disturbed.release(`t${Math.floor(i / 2)}`);
        calm.release(`t${Math.floor(i / 2)}`);
      }
    }),
  );
});
