import assert from "node:assert/strict";
import { test } from "node:test";
import { plainCall } from "../../test/call.ts";
import type { CallHead } from "../call/index.ts";
import { feedTurn, openTurn, queueCall, readersMax, startNext, type Turn } from "./turn.ts";
import type { TurnEffect, TurnEvent } from "./types.ts";

const delta = Uint8Array.of(1);
const answer = Uint8Array.of(2);
const canonicalHash = Uint8Array.of(3);
const write = (number: number, deadlineMs = 1000): CallHead => plainCall(number, deadlineMs).head;
const read = (number: number, deadlineMs = 1000): CallHead => ({
  ...write(number, deadlineMs),
  readonly: true,
});
const run = (call: CallHead) => ({ type: "run", call }) as const;
type Step = TurnEvent | ReturnType<typeof run>;
const sends = [{ agent: "a", key: "k", method: "m", body: Uint8Array.of(1) }];
const succeeded = (call: number): TurnEvent => ({
  type: "succeeded",
  call,
  delta,
  answer,
  canonicalHash,
  sends,
});
const threw = (call: number): TurnEvent => ({ type: "threw", call, answer });

/** Whoever may begin after the event does. */
function feed(turn: Turn, event: Step, nowMs = 0): TurnEffect[] {
  if (event.type === "run") queueCall(turn, event.call);
  const effects = event.type === "run" ? [] : feedTurn(turn, event);
  for (let more = startNext(turn, nowMs); more.length > 0; more = startNext(turn, nowMs))
    effects.push(...more);
  return effects;
}

/** Runs the events at time 0 and gives the effects of the last one. */
function after(...events: Step[]): TurnEffect[] {
  const turn = openTurn(7);
  let effects: TurnEffect[] = [];
  for (const event of events) effects = feed(turn, event);
  return effects;
}

const started = (call: number, readonly = false): TurnEffect => ({ type: "start", call, readonly });
const turned = (call: number, turn: number): TurnEffect => ({
  type: "say",
  message: { type: "turned", activation: 7, call, turn, delta, answer, canonicalHash, sends },
});
const said = (type: "read" | "failed", call: number, seen: number): TurnEffect => ({
  type: "say",
  message: { type, activation: 7, call, after: seen, answer },
});
const dropped = (call: number, why: "deadline" | "caller", hasBegun = false): TurnEffect => ({
  type: "say",
  message: { type: "dropped", activation: 7, call, why, hasBegun },
});

test("one turn runs at a time, in the order of arrival, and numbers are dense", () => {
  assert.deepEqual(after(run(write(1))), [started(1)]);
  assert.deepEqual(after(run(write(1)), run(write(2))), []);
  assert.deepEqual(after(run(write(1)), run(write(2)), succeeded(1)), [
    { type: "apply", call: 1 },
    turned(1, 1),
    started(2),
  ]);
  assert.deepEqual(after(run(write(1)), run(write(2)), succeeded(1), succeeded(2)), [
    { type: "apply", call: 2 },
    turned(2, 2),
  ]);
});

test("a handler that throws leaves nothing, takes no number, and tells what it saw", () => {
  assert.deepEqual(after(run(write(1)), threw(1)), [{ type: "discard", call: 1 }, said("failed", 1, 0)]);
  assert.deepEqual(after(run(write(1)), threw(1), run(write(2)), succeeded(2)), [
    { type: "apply", call: 2 },
    turned(2, 1),
  ]);
});

test("readers start beside a running turn and answer from the last applied one", () => {
  assert.deepEqual(after(run(write(1)), run(read(2))), [started(2, true)]);
  assert.deepEqual(after(run(write(1)), run(read(2)), succeeded(2)), [said("read", 2, 0)]);
  assert.deepEqual(after(run(write(1)), succeeded(1), run(read(2)), succeeded(2)), [said("read", 2, 1)]);
});

test("a reader during which turns are applied answers from the state that it started on", () => {
  const disturbed = [run(read(1)), run(write(2)), succeeded(2), run(write(3)), succeeded(3)];
  assert.deepEqual(after(...disturbed, succeeded(1)), [said("read", 1, 0)]);
  assert.deepEqual(after(...disturbed, threw(1)), [said("failed", 1, 0)]);
  assert.deepEqual(after(...disturbed, run(read(4)), succeeded(4)), [said("read", 4, 2)]);
});

test("more than readersMax readers wait", () => {
  const many = Array.from({ length: readersMax }, (_, i) => run(read(i + 1)));
  assert.deepEqual(after(...many, run(read(100))), []);
  assert.deepEqual(after(...many, run(read(100)), succeeded(1)), [said("read", 1, 0), started(100, true)]);
});

test("a queued call whose deadline passed is dropped before any work", () => {
  const turn = openTurn(7);
  feed(turn, run(write(1)));
  feed(turn, run(write(2, 50)));
  assert.deepEqual(feed(turn, succeeded(1), 50), [
    { type: "apply", call: 1 },
    turned(1, 1),
    dropped(2, "deadline"),
  ]);
  assert.deepEqual(feed(turn, run(read(3, 50)), 50), [dropped(3, "deadline")]);
});

test("a queued call whose caller went away is dropped before any work", () => {
  assert.deepEqual(after(run(write(1)), run(write(2)), { type: "cancel", call: 2, why: "caller" }), [
    dropped(2, "caller"),
  ]);
  assert.deepEqual(after({ type: "cancel", call: 1, why: "caller" }), []);
});

for (const why of ["deadline", "caller"] as const) {
  test(`a running turn that nobody waits for (${why}) is discarded, the next one runs, and its late end is nothing`, () => {
    const late: Step[] = [run(write(1)), run(write(2)), { type: "cancel", call: 1, why }];
    assert.deepEqual(after(...late), [
      { type: "abort", call: 1, why },
      { type: "discard", call: 1 },
      dropped(1, why, true),
      started(2),
    ]);
    assert.deepEqual(after(...late, succeeded(1)), []);
    assert.deepEqual(after(run(read(1)), { type: "cancel", call: 1, why }, succeeded(1)), []);
  });
}

test("a snapshot is of the applied turns, whatever runs", () => {
  assert.deepEqual(after(run(write(1)), succeeded(1), run(write(2)), { type: "cut" }), [
    { type: "snapshot", after: 1 },
  ]);
});

test("after close nothing is said any more", () => {
  const close: Step[] = [run(write(1)), run(write(2)), run(read(3)), { type: "close" }];
  assert.deepEqual(after(...close), [
    { type: "abort", call: 1, why: "caller" },
    { type: "discard", call: 1 },
    { type: "abort", call: 3, why: "caller" },
    { type: "discard", call: 3 },
  ]);
  assert.deepEqual(after(...close, succeeded(1)), []);
  assert.deepEqual(after(...close, run(write(4))), []);
});
