// Steals until told to stop and nothing is left; counts each task that it got.
import { workerData } from "node:worker_threads";
import { Deque, nothing } from "../src/team/deque.ts";

const { words, counts, state } = workerData as { words: Int32Array; counts: Int32Array; state: Int32Array };
const deque = new Deque(words);
Atomics.store(state, 1, 1);
Atomics.notify(state, 1);
for (;;) {
  const isLast = Atomics.load(state, 0) === 1;
  const task = deque.steal();
  if (task !== nothing) {
    Atomics.add(counts, task, 1);
    Atomics.add(state, 1, 1);
  } else if (isLast) break;
}
