import assert from "node:assert/strict";
import { test } from "node:test";
import { createEntrant, entrantsBytesMax, Rounds, tickMs } from "./rounds.ts";

/** Rounds of sessions whose calls take `turnMs` each, in a loop that ticks when the test says so. */
function openRig(turnMs = tickMs) {
  let nowMs = 0;
  const begun: string[] = [];
  const full: boolean[] = [];
  let later: (() => void) | undefined;
  const rounds = new Rounds({
    nowMs: () => nowMs,
    later: (go) => {
      assert.equal(later, undefined, "planned twice");
      later = go;
    },
    onFull: (isFull) => void full.push(isFull),
  });
  const tick = (): boolean => {
    const go = later;
    later = undefined;
    go?.();
    return go !== undefined;
  };
  return {
    rounds,
    begun,
    full,
    /** Whether anybody had been there. */
    tick,
    tickAll: (): void => {
      while (tick());
    },
    /** One that has a call each time that it is called; each is of so many bytes. */
    session: (name: string, bytes = 0): ((calls?: number) => void) => {
      let waiting = 0;
      const entrant = createEntrant(() => {
        begun.push(name);
        nowMs += turnMs;
        waiting -= 1;
        if (waiting > 0) rounds.enter(entrant, waiting * bytes);
      });
      return (calls = 1) => {
        for (let i = 0; i < calls; i += 1) {
          waiting += 1;
          rounds.enter(entrant, waiting * bytes);
        }
      };
    },
  };
}

test("who finds nobody there begins at once, in each tick that is not over", () => {
  const { rounds, begun, tick, session } = openRig(tickMs / 2);
  const [a, b, c] = [session("a"), session("b"), session("c")];
  a();
  b();
  assert.deepEqual(begun, ["a", "b"]);
  c();
  assert.deepEqual(begun, ["a", "b"], "the tick is over");
  assert.equal(tick(), true);
  assert.deepEqual(begun, ["a", "b", "c"]);
  rounds.tick();
  a();
  assert.deepEqual(begun, ["a", "b", "c", "a"]);
  assert.equal(tick(), false);
});

test("sessions begin one call each, in turn, and a session's calls in their order", () => {
  const { begun, tickAll, session } = openRig();
  session("a")(5);
  session("b")(2);
  session("c")(3);
  tickAll();
  assert.equal(begun.join(""), "aabcabcaca");
});

test("a neighbour waits for one call of each session that came before, however many each has", () => {
  const { begun, tick, tickAll, session } = openRig();
  const hostile = Array.from({ length: 8 }, (_, i) => session(`hostile ${i}`));
  for (const more of hostile) more(256);
  const neighbour = session("neighbour");
  const waits: number[] = [];
  for (let i = 0; i < 100; i += 1) {
    const before = begun.length;
    neighbour();
    while (begun.at(-1) !== "neighbour") assert.ok(tick());
    waits.push(begun.length - before);
    for (const more of hostile) more(2); // they never run dry
  }
  assert.ok(Math.max(...waits) <= hostile.length + 1, `turns until its own: ${waits.join(" ")}`);
  tickAll();
  assert.equal(begun.length, 8 * 256 + 100 * (8 * 2 + 1));
});

test("what is answered leaves after a tick's worth of calls", () => {
  const { begun, tick, session } = openRig(tickMs / 4);
  session("a")(100);
  assert.equal(begun.length, 4);
  tick();
  assert.equal(begun.length, 8);
});

test("no call begins while they are held", () => {
  const { rounds, begun, tick, tickAll, session } = openRig();
  const a = session("a");
  rounds.hold(true);
  a(2);
  assert.equal(tick(), false);
  assert.deepEqual(begun, []);
  rounds.hold(false);
  tickAll();
  assert.deepEqual(begun, ["a", "a"]);
});

test("beyond what may wait of calls that may begin no more is wanted, until some have", () => {
  const { full, tick, tickAll, session } = openRig();
  const [big, small] = [session("big", entrantsBytesMax / 2), session("small", 1)];
  big(3); // one has begun
  assert.deepEqual(full, []);
  small();
  assert.deepEqual(full, [true]);
  tick();
  assert.deepEqual(full, [true, false]);
  tickAll();
  assert.deepEqual(full, [true, false]);
});
