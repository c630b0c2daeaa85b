import assert from "node:assert/strict";
import { test } from "node:test";
import {
  isLapsed,
  isReady,
  type LeaseEffect,
  type LeaseEvent,
  type LeaseState,
  noLeases,
  step,
} from "./lease.ts";

/** Feeds the events; the state after the last one and all effects. */
function run(
  events: readonly LeaseEvent[],
  from: LeaseState = noLeases,
): { state: LeaseState; effects: LeaseEffect[] } {
  let state = from;
  const effects: LeaseEffect[] = [];
  for (const event of events) {
    const next = step(state, event);
    state = next.state;
    effects.push(...next.effects);
  }
  return { state, effects };
}

/** `"a.1"` is incarnation 1 of node a. */
const of = (life: string, nowMs: number) => ({ node: life.slice(0, 1), incarnation: life.slice(2), nowMs });
const lease = (life: string, nowMs: number, succeeds = ""): LeaseEvent => ({
  type: "lease",
  succeeds,
  ...of(life, nowMs),
});
const expired = (life: string, nowMs: number): LeaseEvent => ({ type: "expired", ...of(life, nowMs) });
const obituary = (life: string, nowMs: number): LeaseEvent => ({ type: "obituary", ...of(life, nowMs) });
const heartbeat = (life: string, nowMs: number): LeaseEvent => ({ type: "heartbeat", ...of(life, nowMs) });
const tick = (nowMs: number): LeaseEvent => ({ type: "tick", nowMs });
const lost = (effects: readonly LeaseEffect[]): string[] =>
  effects.flatMap((effect) =>
    effect.type === "lost" ? [`${effect.node}.${effect.incarnation} ${effect.cause}`] : [],
  );
const kinds = (effects: readonly LeaseEffect[]): string[] => effects.map((effect) => effect.type);

test("a node whose lease ended is lost when its heartbeat has been silent for 3 s", () => {
  const start = run([lease("a.1", 0), lease("b.1", 0), heartbeat("a.1", 2000), expired("a.1", 3000)]);
  assert.deepEqual(lost(run([tick(4999)], start.state).effects), []);
  assert.deepEqual(lost(run([tick(5000)], start.state).effects), ["a.1 silence"]);
});

test("a node that does not know that its new lease was stored makes another one, and is not lost", () => {
  const { state, effects } = run([
    lease("a.1", 0),
    expired("a.1", 3000),
    lease("a.2", 3100, "1"), // its acknowledgement went with the store
    lease("a.3", 4200, "1"),
    expired("a.2", 6100),
    heartbeat("a.3", 6200),
  ]);
  assert.deepEqual(kinds(effects), ["joined", "lapsed", "returned", "returned"]);
  assert.ok(isReady(state, "a", 6201));
});

test("a node whose lease ended and whose heart beats is not lost, but gets no sessions", () => {
  const { state, effects } = run([lease("a.1", 0), expired("a.1", 3000), heartbeat("a.1", 5000), tick(7999)]);
  assert.deepEqual(lost(effects), []);
  assert.equal(isReady(state, "a", 5001), false);
});

test("what a node had is nobody's when its lease has ended, but not while many leases ended at once", () => {
  const one = run([lease("a.1", 0), lease("b.1", 0), lease("c.1", 0), lease("d.1", 0), expired("a.1", 3000)]);
  assert.deepEqual([isLapsed(one.state, "a", 3000), isLapsed(one.state, "b", 3000)], [true, false]);
  const { state } = run([expired("b.1", 3100)], one.state);
  assert.deepEqual([isLapsed(state, "a", 3100), isLapsed(state, "b", 13_099)], [false, false]);
  assert.deepEqual([isLapsed(state, "a", 13_100), isLapsed(state, "b", 13_100)], [true, true]);
});

test("a silent node whose lease holds is not lost, but gets no sessions", () => {
  const { state, effects } = run([lease("a.1", 0), tick(60_000)]);
  assert.deepEqual(lost(effects), []);
  assert.equal(isReady(state, "a", 2999), true);
  assert.equal(isReady(state, "a", 3000), false);
});

test("an obituary over a living lease counts at once", () => {
  const { state, effects } = run([lease("a.1", 0), heartbeat("a.1", 10), obituary("a.1", 11)]);
  assert.deepEqual(lost(effects), ["a.1 obituary"]);
  assert.equal(state.nodes.size, 0);
});

test("an obituary, a marker, a heartbeat or a renewal of an earlier incarnation changes nothing", () => {
  const { state } = run([lease("a.1", 0), lease("a.2", 10)]);
  const late = [obituary("a.1", 20), expired("a.1", 21), heartbeat("a.1", 22), lease("a.1", 23)];
  assert.deepEqual(run(late, state), { state, effects: [] });
});

test("a restarted node loses what the life before had", () => {
  assert.deepEqual(kinds(run([lease("a.1", 0), lease("a.2", 10)]).effects), ["joined", "lost", "joined"]);
});

test("a node that takes a new lease with its sessions in memory returns", () => {
  const { effects } = run([lease("a.1", 0), expired("a.1", 3000), lease("a.2", 3500, "1")]);
  assert.deepEqual(kinds(effects), ["joined", "lapsed", "returned"]);
});

test("when more than a third of the leases end within 1 s nobody is given up by silence for 10 s", () => {
  const start = run(["a.1", "b.1", "c.1", "d.1", "e.1"].map((life) => lease(life, 0)));
  const two = run([expired("a.1", 3000), expired("b.1", 3999)], start.state);
  assert.deepEqual(two.effects.at(-1), { type: "held", leases: 2, untilMs: 13_999 });
  assert.deepEqual(lost(run([tick(13_998)], two.state).effects), []);
  assert.deepEqual(lost(run([tick(13_999)], two.state).effects), ["a.1 silence", "b.1 silence"]);
});

test("an obituary over a lease that has ended is only a proof of that: the heartbeat decides", () => {
  const start = run([
    lease("a.1", 0),
    expired("a.1", 3000),
    obituary("a.1", 3001),
    heartbeat("a.1", 3002),
    tick(6001),
  ]);
  assert.deepEqual(lost(start.effects), []);
  assert.deepEqual(lost(run([tick(6002)], start.state).effects), ["a.1 silence"]);
});

test("nodes that prove each other's ends do not undo the hold after a mass expiry", () => {
  const events = [
    lease("a.1", 0),
    lease("b.1", 0),
    expired("a.1", 3000),
    expired("b.1", 3000),
    obituary("a.1", 3001),
    tick(9000),
  ];
  assert.deepEqual(lost(run(events).effects), []);
});

test("an obituary counts whatever node it names: incarnations are unique", () => {
  const nobody: LeaseEvent = { type: "obituary", node: "unknown", incarnation: "1", nowMs: 5 };
  assert.deepEqual(lost(run([lease("a.1", 0), nobody]).effects), ["a.1 obituary"]);
});

test("leases that end 1 s apart, or one of two, are no mass expiry", () => {
  const start = run(["a.1", "b.1", "c.1", "d.1", "e.1"].map((life) => lease(life, 0)));
  const apart = run([expired("a.1", 3000), expired("b.1", 4000), tick(7000)], start.state);
  assert.deepEqual(lost(apart.effects), ["a.1 silence", "b.1 silence"]);
  const pair = run([lease("a.1", 0), lease("b.1", 0), expired("a.1", 3000), tick(3000)]);
  assert.deepEqual(lost(pair.effects), ["a.1 silence"]);
});
