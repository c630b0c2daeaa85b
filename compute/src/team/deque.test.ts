import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { Deque, dequeWords, nothing } from "./deque.ts";

const wordsOf = (capacity: number): Int32Array =>
  new Int32Array(new SharedArrayBuffer(4 * dequeWords(capacity)));

test("its owner gets what came last, a thief what came first, and nobody more than was pushed", () => {
  const deque = new Deque(wordsOf(4));
  assert.deepEqual([deque.pop(), deque.steal()], [nothing, nothing]);
  assert.deepEqual(
    [1, 2, 3, 4, 5].map((task) => deque.push(task)),
    [true, true, true, true, false],
  );
  assert.deepEqual([deque.steal(), deque.pop(), deque.push(6), deque.steal()], [1, 4, true, 2]);
  assert.deepEqual([deque.pop(), deque.pop(), deque.pop(), deque.steal()], [6, 3, nothing, nothing]);
  assert.deepEqual([deque.push(7), deque.steal(), deque.steal()], [true, 7, nothing]);
});

test("it has a power of two of places, from 2", () => {
  assert.equal(new Deque(wordsOf(2)).capacity, 2);
  for (const capacity of [0, 1, 3, 6]) assert.throws(() => new Deque(wordsOf(capacity)), RangeError);
});

for (const start of [2 ** 31 - 3, 2 ** 32 - 3])
  test(`it goes on when its counters pass ${start}`, () => {
    const words = wordsOf(8);
    words[0] = start;
    words[16] = start;
    const deque = new Deque(words);
    for (let round = 0; round < 20; round += 1) {
      assert.deepEqual([deque.push(2 * round), deque.push(2 * round + 1)], [true, true]);
      assert.deepEqual([deque.steal(), deque.pop(), deque.pop()], [2 * round, 2 * round + 1, nothing]);
    }
  });

test("with a thief on another thread every task is taken exactly once", async () => {
  const tasks = 300_000;
  const words = wordsOf(256);
  const counts = new Int32Array(new SharedArrayBuffer(4 * tasks));
  const state = new Int32Array(new SharedArrayBuffer(8));
  const thief = new Worker(new URL("../../test/thief.worker.ts", import.meta.url), {
    workerData: { words, counts, state },
  });
  const stopped = once(thief, "exit");
  Atomics.wait(state, 1, 0); // until it runs
  const deque = new Deque(words);
  const take = (task: number): void => {
    if (task !== nothing) Atomics.add(counts, task, 1);
  };
  for (let task = 0; task < tasks; task += 1) {
    while (!deque.push(task)) take(deque.pop());
    // at first both are after the only one
    if (task < tasks / 2 || task % 3 === 0) take(deque.pop());
  }
  for (let task = deque.pop(); task !== nothing; task = deque.pop()) take(task);
  Atomics.store(state, 0, 1);
  await stopped;
  assert.deepEqual(
    counts.findIndex((count) => count !== 1),
    -1,
  );
  assert.ok((state[1] ?? 0) > 1, "the thief took some");
});
