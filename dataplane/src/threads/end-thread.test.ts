import assert from "node:assert/strict";
import { test } from "node:test";
import { scheduler } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { endThread } from "./end-thread.ts";

/** Once it is compiled well, about every third `terminate` finds nothing to end. */
const loop = `
  const { workerData } = require("node:worker_threads");
  (async () => {
    const error = new Error("always the same");
    const reject = async () => { throw error; };
    for (;;) { try { await reject(); } catch { Atomics.add(workerData, 0, 1); } }
  })();
`;
const hot = 500_000;

test("threads that catch one and the same error in a loop of awaits end", { timeout: 60_000 }, async () => {
  for (let round = 0; round < 8; round += 1) {
    const rounds = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
    const thread = new Worker(loop, { eval: true, workerData: rounds });
    while (Atomics.load(rounds, 0) < hot) await scheduler.wait(5);
    await endThread(thread);
    assert.equal(thread.threadId, -1);
  }
});

test("a thread that stands in a call of Node's own gathers no listeners, and ends after it", async () => {
  const stands = `
    const { execSync } = require("node:child_process");
    const { workerData } = require("node:worker_threads");
    execSync("true");
    Atomics.store(workerData, 0, 1);
    execSync("sleep 1");
  `;
  const begun = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const thread = new Worker(stands, { eval: true, workerData: begun });
  while (Atomics.load(begun, 0) === 0) await scheduler.wait(5);
  await scheduler.wait(100);
  const before = thread.listenerCount("exit");
  const ended = endThread(thread);
  await scheduler.wait(500);
  assert.equal(thread.listenerCount("exit"), before + 1);
  await ended;
  assert.equal(thread.threadId, -1);
});
