import assert from "node:assert/strict";
import { test } from "node:test";
import { ask, fraction, node, none, whole } from "../../test/node-specs.ts";
import { Pool, type PoolRequest } from "../placement/index.ts";
import {
  asksPerMinuteMax,
  avoidMs,
  leavingMax,
  planNodesMax,
  RoomMaker,
  roomRetryMs,
  type Slept,
  triesMax,
} from "./room-maker.ts";

interface Asked {
  readonly session: string;
  readonly node: string;
  readonly answer: (slept: Slept) => Promise<void>;
}

/**
 * A pool with sessions where the policy puts them, a clock that is set, and nodes whose answers the test
 * gives.
 */
function open(gpus: number, sessions: readonly PoolRequest[], nodes = 1) {
  const pool = new Pool({ nodes: Array.from({ length: nodes }, (_, i) => node(`n${i}`, { gpus })) });
  for (const request of sessions) assert.ok("mask" in pool.place(request), `${request.session} has no place`);
  const time = { ms: 0 };
  const asked: Asked[] = [];
  const putToSleep = (session: string, on: string): Promise<Slept> => {
    const { promise, resolve } = Promise.withResolvers<Slept>();
    const answer = async (slept: Slept): Promise<void> => {
      resolve(slept);
      await new Promise(setImmediate);
    };
    asked.push({ session, node: on, answer });
    return promise;
  };
  const maker = new RoomMaker({ clock: { wallMs: () => 0, monotonicMs: () => time.ms }, putToSleep });
  const wants = (
    request: PoolRequest,
    isConfirmed: (session: string) => boolean = () => true,
  ): number | undefined => maker.makeFor({ pool, request, isConfirmed });
  const last = (): Asked => {
    const one = asked.at(-1);
    assert.ok(one !== undefined, "nobody was asked");
    return one;
  };
  return { pool, maker, time, asked, wants, last };
}
const half = (session: string, namespace = "red"): PoolRequest => ask(session, fraction(500), { namespace });

test("the fewest sessions are asked, and the caller is told to ask again soon", () => {
  const { asked, wants } = open(2, [half("a"), half("b"), ask("c", whole(1))]);
  assert.equal(wants(ask("new", whole(1))), roomRetryMs);
  assert.deepEqual(
    asked.map((one) => [one.session, one.node]),
    [["c", "n0"]],
  );
});

test("several sessions leave one device when no single one is enough", () => {
  const { asked, wants } = open(1, [half("a"), half("b")]);
  assert.equal(wants(ask("new", whole(1))), roomRetryMs);
  assert.deepEqual(asked.map((one) => one.session).toSorted(), ["a", "b"]);
});

test("while room is being made for a session, and until the report of it is due, asking again asks nobody", async () => {
  const { asked, wants, last, time, maker } = open(1, [ask("a", whole(1))]);
  const request = ask("new", whole(1));
  wants(request);
  time.ms = 4_000;
  assert.equal(wants(request), roomRetryMs);
  await last().answer("asleep");
  assert.equal(wants(request), roomRetryMs);
  time.ms += roomRetryMs - 1;
  assert.equal(wants(request), roomRetryMs);
  assert.equal(asked.length, 1);
  assert.deepEqual(maker.counters, { made: 1, slept: 1, busy: 0 });
});

test("after a session that was busy another is asked, and the busy one is left alone for a while", async () => {
  const { asked, wants, last, time, maker } = open(2, [ask("a", whole(1)), ask("b", whole(1))]);
  const request = ask("new", whole(1));
  wants(request);
  const first = last().session;
  await last().answer("busy");
  assert.equal(asked.length, 2);
  assert.notEqual(last().session, first);
  assert.equal(wants(request), roomRetryMs);
  await last().answer("busy");
  assert.equal(wants(request), undefined);
  time.ms = avoidMs;
  assert.equal(wants(request), roomRetryMs);
  assert.equal(asked.length, 3);
  assert.deepEqual(maker.counters, { made: 0, slept: 0, busy: 2 });
});

test("no other is asked when room came up by itself, or when a part of those that were asked sleeps", async () => {
  const alone = open(1, [ask("a", whole(1)), ask("b", whole(1))], 2);
  alone.wants(ask("new", whole(1)));
  alone.pool.release(alone.last().session);
  await alone.last().answer("busy");
  assert.equal(alone.asked.length, 1);
  const placed = open(1, [ask("a", whole(1)), ask("b", whole(1))], 2);
  placed.wants(ask("new", whole(1)));
  placed.pool.release(placed.last().session);
  placed.pool.place(ask("new", whole(1)));
  await placed.last().answer("busy");
  assert.equal(placed.asked.length, 1);
  const partly = open(2, [half("a"), half("b"), half("c"), half("d")]);
  const request = ask("new", whole(1));
  partly.wants(request);
  const [one, other] = partly.asked;
  await one?.answer("asleep");
  await other?.answer("busy");
  assert.equal(partly.wants(request), roomRetryMs);
  assert.equal(partly.asked.length, 2);
  assert.deepEqual(partly.maker.counters, { made: 0, slept: 1, busy: 1 });
});

test("a node that does not answer counts for nothing, and its session is left alone for a while", async () => {
  const { wants, last, maker } = open(1, [ask("a", whole(1))]);
  wants(ask("new", whole(1)));
  await last().answer("away");
  assert.equal(wants(ask("new", whole(1))), undefined);
  assert.deepEqual(maker.counters, { made: 0, slept: 0, busy: 0 });
});

test("two sessions that want room at the same time never share a leaving one", () => {
  const { asked, wants } = open(2, [ask("a", whole(1)), ask("b", whole(1))]);
  assert.equal(wants(ask("new1", whole(1))), roomRetryMs);
  assert.equal(wants(ask("new2", whole(1))), roomRetryMs);
  assert.equal(wants(ask("new3", whole(1))), undefined);
  assert.equal(new Set(asked.map((one) => one.session)).size, 2);
});

test("sessions of another namespace, unconfirmed ones, ones without a device and ones with several are never asked", () => {
  const strangers = open(1, [ask("a", whole(1), { namespace: "blue" })]);
  assert.equal(strangers.wants(ask("new", whole(1))), undefined);
  const unconfirmed = open(1, [ask("a", whole(1))]);
  assert.equal(
    unconfirmed.wants(ask("new", whole(1)), () => false),
    undefined,
  );
  const pairs = open(2, [ask("a", whole(2))]);
  assert.equal(pairs.wants(ask("new", whole(1))), undefined);
  const cpus = open(1, [ask("a", none, { cores: 96 })]);
  assert.equal(cpus.wants(ask("new", whole(1))), undefined);
  for (const { asked } of [strangers, unconfirmed, pairs, cpus]) assert.deepEqual(asked, []);
});

test("no more than so many sessions leave for one request", () => {
  const eighths = (count: number): PoolRequest[] =>
    Array.from({ length: count }, (_, i) => ask(`s${i}`, fraction(80), { cores: 1 }));
  assert.equal(open(1, eighths(leavingMax)).wants(ask("new", whole(1))), roomRetryMs);
  assert.equal(open(1, eighths(leavingMax + 1)).wants(ask("new", whole(1))), undefined);
});

test("one asking tries a few plans, and no more", async () => {
  const count = triesMax + 1;
  const { wants, last, asked } = open(
    count,
    Array.from({ length: count }, (_, i) => ask(`s${i}`, whole(1))),
  );
  const request = ask("new", whole(1));
  wants(request);
  for (let i = 1; i <= triesMax; i += 1) {
    assert.equal(asked.length, i);
    await last().answer("busy");
  }
  assert.equal(asked.length, triesMax);
  assert.equal(wants(request), roomRetryMs);
});

test("no more sessions are asked in a minute than the budget allows", () => {
  const cards = 8;
  const count = asksPerMinuteMax + cards;
  const { wants, time, asked } = open(
    cards,
    Array.from({ length: count }, (_, i) => ask(`s${i}`, whole(1))),
    count / cards,
  );
  for (let i = 0; i < asksPerMinuteMax; i += 1) assert.equal(wants(ask(`new${i}`, whole(1))), roomRetryMs);
  assert.equal(wants(ask("late", whole(1))), undefined);
  time.ms = 60_000 / asksPerMinuteMax - 1;
  assert.equal(wants(ask("late", whole(1))), undefined);
  time.ms += 1;
  assert.equal(wants(ask("late", whole(1))), roomRetryMs);
  assert.equal(asked.length, asksPerMinuteMax + 1);
});

test("after a plan that took long, none is made for nine times as long", () => {
  const { wants, time } = open(2, [ask("a", whole(1)), ask("b", whole(1))]);
  const slowly = (): boolean => {
    time.ms += 5;
    return true;
  };
  assert.equal(wants(ask("new1", whole(1)), slowly), roomRetryMs);
  const plannedMs = time.ms;
  time.ms = plannedMs * 10 - 1;
  assert.equal(wants(ask("new2", whole(1))), undefined);
  time.ms = plannedMs * 10;
  assert.equal(wants(ask("new2", whole(1))), roomRetryMs);
});

test("one plan looks at a bounded number of nodes, and the next one at the others", () => {
  const filled = Array.from({ length: planNodesMax + 1 }, (_, i) =>
    ask(`s${i}`, whole(1), { namespace: "blue" }),
  );
  const { wants, pool, last } = open(1, filled, planNodesMax + 1);
  const there = [...pool.sessions.values()].find((placed) => placed.node === planNodesMax);
  assert.ok(there !== undefined);
  pool.release(there.request.session);
  pool.place(ask("own", whole(1)));
  assert.equal(wants(ask("new", whole(1))), undefined);
  assert.equal(wants(ask("new", whole(1))), roomRetryMs);
  assert.equal(last().session, "own");
});

test("the end waits for the nodes that were asked", async () => {
  const { wants, last, maker } = open(1, [ask("a", whole(1))]);
  wants(ask("new", whole(1)));
  let isOver = false;
  const over = maker[Symbol.asyncDispose]().then(() => (isOver = true));
  await new Promise(setImmediate);
  assert.equal(isOver, false);
  await last().answer("asleep");
  await over;
});
