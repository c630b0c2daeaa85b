import assert from "node:assert/strict";
import { test } from "node:test";
import { Journal } from "./workflow-journal.ts";

/** A body that is told apart from the pauses in which it has gone as far as it gets. */
function body(...steps: readonly string[]) {
  const told: string[] = [];
  const pauses: (() => void)[] = [];
  const entries = steps.map((step) => ({ step }));
  const journal = new Journal(entries, (act) => pauses.push(act));
  const microtasks = () => new Promise((resolve) => setImmediate(resolve));
  return {
    journal,
    ask: (step: string) => void journal.of(step).then((placed) => told.push(`${step} ${placed?.place}`)),
    took: (step: string, place: number) =>
      void journal.stored(place).then(() => told.push(`${step} ${place}`)),
    /** What the body has by now. */
    told: async () => {
      await microtasks();
      return told.splice(0);
    },
    pause: () => pauses.shift()?.(),
  };
}

test("what is asked for at once is handed out one after the other, in the order of the entries", async () => {
  const { ask, told, pause } = body("a", "b", "c");
  ask("c");
  ask("b");
  ask("a");
  assert.deepEqual(await told(), ["a 0"]);
  pause();
  assert.deepEqual(await told(), ["b 1"]);
  pause();
  assert.deepEqual(await told(), ["c 2"]);
});

test("steps one after the other wait for no pause, and those that nobody asks for are passed over", async () => {
  const { journal, ask, told, pause } = body("a", "b", "gone", "c");
  for (const step of ["a", "b"]) {
    ask(step);
    assert.equal((await told()).length, 1, step);
    journal.taken();
  }
  ask("new");
  assert.deepEqual(await told(), ["new undefined"]);
  ask("c");
  assert.deepEqual(await told(), []);
  assert.equal(journal.isWhole, false);
  pause();
  assert.deepEqual(await told(), ["c 3"]);
  assert.equal(journal.isWhole, true);
});

test("what comes while a turn is being stored is handed out after it, or at once when it came to nothing", async () => {
  for (const isStored of [true, false]) {
    const { journal, ask, took, told, pause } = body();
    journal.open(0);
    journal.add({ place: 1, entry: { step: "signal" } });
    ask("signal");
    pause();
    assert.deepEqual(await told(), []);
    if (isStored) took("step", 0);
    else journal.lost(0);
    pause();
    const first = await told();
    pause();
    assert.deepEqual([first, await told()].flat(), isStored ? ["step 0", "signal 1"] : ["signal 1"]);
  }
});

test("what has come before the body waits for it is there when it does", async () => {
  const { journal, ask, told } = body();
  journal.add({ place: 0, entry: { step: "signal" } });
  ask("signal");
  assert.deepEqual(await told(), ["signal 0"]);
});

test("what has come waits until the body has gone as far as it gets from what came before", async () => {
  const { journal, ask, told, pause } = body("a");
  const had: string[] = [];
  ask("a");
  assert.deepEqual(await told(), ["a 0"]);
  journal.taken();
  journal.add({ place: 1, entry: { step: "go" } });
  void journal.came("go").then(() => had.push("go"));
  await told();
  assert.deepEqual(had, []);
  pause();
  await told();
  assert.deepEqual(had, ["go"]);
});
