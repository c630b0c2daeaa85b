import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { Crowd } from "./crowd.ts";
import { chunkUnits, requestUnits, restUnitsPerMs, tickUnits } from "./limits.ts";
import { Pace } from "./pace.ts";

const perTick = tickUnits / requestUnits;

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function openPace(t: TestContext): { pace: Pace; calls: string[]; readonly pass: (ms: number) => void } {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const calls: string[] = [];
  const pace = new Pace({ stop: () => calls.push("stop"), start: () => calls.push("start") }, new Crowd());
  return { pace, calls, pass: (ms) => t.mock.timers.tick(ms) };
}

test("within the budget everything runs at once, and nothing is stopped", (t) => {
  const { pace, calls } = openPace(t);
  for (let i = 1; i < perTick; i += 1) pace.take(() => calls.push(`r${i}`));
  assert.equal(calls.length, perTick - 1);
  assert.ok(!calls.includes("stop"));
});

test("requests beyond the budget run in later ticks, in order, before anything more is read", async (t) => {
  const { pace, calls } = openPace(t);
  const ran: number[] = [];
  const count = 2 * perTick + 1;
  for (let i = 0; i < count; i += 1) pace.take(() => ran.push(i));
  assert.deepEqual([ran.length, calls], [perTick, ["stop"]]);
  await tick();
  assert.deepEqual([ran.length, calls], [2 * perTick, ["stop", "stop"]]);
  await tick();
  assert.deepEqual(calls, ["stop", "stop", "start"]);
  assert.deepEqual(
    ran,
    Array.from({ length: count }, (_, at) => at),
  );
});

test("a request that comes while others wait does not overtake them", async (t) => {
  const { pace } = openPace(t);
  const ran: string[] = [];
  for (let i = 0; i <= perTick; i += 1) pace.take(() => ran.push("early"));
  pace.take(() => ran.push("late"));
  await tick();
  assert.deepEqual(ran.slice(-2), ["early", "late"]);
});

test("chunks beyond the budget are paid for by a rest", async (t) => {
  const { pace, calls, pass } = openPace(t);
  const restMs = 40;
  for (let i = 0; i < (tickUnits + restMs * restUnitsPerMs) / chunkUnits; i += 1) pace.chunk();
  await tick();
  pass(restMs - 1);
  assert.deepEqual(calls, ["stop"]);
  pass(1);
  assert.deepEqual(calls, ["stop", "start"]);
});

test("who begins to read during a rest is stopped again", (t) => {
  const { pace, calls } = openPace(t);
  pace.hold();
  assert.deepEqual(calls, []);
  for (let i = 0; i < tickUnits; i += 1) pace.chunk();
  pace.hold();
  assert.deepEqual(calls, ["stop", "stop"]);
});

test("of a connection that is full nothing is read, however much of its budget is left", async (t) => {
  const { pace, calls } = openPace(t);
  pace.full(true);
  pace.full(true);
  pace.hold();
  assert.deepEqual(calls, ["stop", "stop"]);
  for (let i = 0; i < tickUnits; i += 1) pace.chunk();
  await tick();
  assert.deepEqual(calls, ["stop", "stop", "stop"], "its budget is there again, and it is full");
  pace.full(false);
  assert.deepEqual(calls.at(-1), "start");
});

test("a connection that is not full any more waits for its budget", async (t) => {
  const { pace, calls } = openPace(t);
  pace.full(true);
  for (let i = 0; i < tickUnits; i += 1) pace.chunk();
  pace.full(false);
  assert.deepEqual(calls, ["stop", "stop"]);
  await tick();
  assert.deepEqual(calls, ["stop", "stop", "start"]);
});

test("after the end of a connection nothing of it runs", async (t) => {
  const { pace, calls, pass } = openPace(t);
  for (let i = 0; i <= perTick; i += 1) pace.take(() => calls.push("ran"));
  for (let i = 0; i < 10 * restUnitsPerMs; i += 1) pace.chunk();
  const before = [...calls];
  pace.close();
  await tick();
  pass(100);
  assert.deepEqual(calls, before);
});
