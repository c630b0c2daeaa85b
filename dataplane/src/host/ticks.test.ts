import assert from "node:assert/strict";
import { mock, type TestContext, test } from "node:test";
import { createTicks } from "./ticks.ts";

const tickMs = 10;

function rig(context: TestContext) {
  mock.timers.enable({ apis: ["setInterval"] });
  let now = 1_000_003;
  const due: string[] = [];
  const ticks = createTicks<string>({ nowMs: () => now, tickMs, onDue: (thing) => due.push(thing) });
  context.after(() => {
    ticks[Symbol.dispose]();
    mock.timers.reset();
  });
  const pass = (ms: number): string[] => {
    now += ms;
    mock.timers.tick(tickMs);
    return due.splice(0);
  };
  return { ticks, pass, nowMs: () => now };
}

test("a thing is due once, never early and at most two ticks late", (t) => {
  for (let afterMs = 0; afterMs < 40; afterMs += 1) {
    const { ticks, pass, nowMs } = rig(t);
    const atMs = nowMs() + afterMs;
    ticks.add(atMs, "thing");
    let seenMs = 0;
    for (let i = 0; i < 20; i += 1) {
      for (const thing of pass(tickMs)) {
        assert.deepEqual([thing, seenMs], ["thing", 0]);
        seenMs = nowMs();
      }
    }
    assert.ok(seenMs >= atMs && seenMs <= atMs + 2 * tickMs, `due at ${atMs}, told at ${seenMs}`);
    ticks[Symbol.dispose]();
    mock.timers.reset();
  }
});

test("after a pause everything that is due comes in the order of its time", (t) => {
  const { ticks, pass, nowMs } = rig(t);
  ticks.add(nowMs() + 5_000, "second");
  ticks.add(nowMs() + 50, "first");
  ticks.add(nowMs() + 3_600_000, "later");
  assert.deepEqual(pass(60_000), ["first", "second"]);
  assert.deepEqual(pass(3_600_000), ["later"]);
});

test("what is due within a few ticks comes in the order of its time, and the rest later", (t) => {
  const { ticks, pass, nowMs } = rig(t);
  for (const afterMs of [50, 30, 20, 10, 40]) ticks.add(nowMs() + afterMs, `${afterMs}`);
  assert.deepEqual(pass(3 * tickMs), ["10", "20"]);
  assert.deepEqual(pass(3 * tickMs), ["30", "40", "50"]);
});

test("what is taken out is not due, and what waits beside it is", (t) => {
  const { ticks, pass, nowMs } = rig(t);
  const [first] = ["first", "second"].map((thing) => ticks.add(nowMs() + 20, thing));
  first?.();
  first?.();
  assert.deepEqual(pass(100), ["second"]);
});

test("a time that has passed is due at the next tick", (t) => {
  const { ticks, pass, nowMs } = rig(t);
  ticks.add(nowMs() - 500, "thing");
  assert.deepEqual(pass(2 * tickMs), ["thing"]);
});
