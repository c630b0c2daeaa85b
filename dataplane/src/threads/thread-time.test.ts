import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { waitUntil } from "@voda/test/kit";
import { heldShare, ownThread, threadTime } from "./thread-time.ts";

test("a thread that waits for a processor holds nothing, one that runs or stands in a call does", () => {
  const at = (ranMs: number, isRunnable: boolean) => ({ ranMs, isRunnable });
  assert.equal(heldShare(at(100, true), at(100, true), 500), 0);
  assert.equal(heldShare(at(100, true), at(225, true), 500), 0.25);
  assert.equal(heldShare(at(100, true), at(600, true), 500), 1);
  assert.equal(heldShare(at(100, true), at(1600, true), 500), 3, "a look that came late");
  assert.equal(heldShare(at(100, true), at(100, false), 500), 1, "Atomics.wait needs no processor");
  assert.equal(heldShare(undefined, at(100, true), 500), 1);
  assert.equal(heldShare(at(100, true), undefined, 500), 1);
});

test("the system tells a thread that loops from one that waits, where it tells of threads", async () => {
  if (!existsSync("/proc/thread-self")) return assert.equal(ownThread(), 0);
  const run = async (code: string): Promise<{ readonly thread: number; readonly worker: Worker }> => {
    const start = `const { parentPort } = require("node:worker_threads");
      parentPort.postMessage(require("node:fs").readlinkSync("/proc/thread-self").split("/").at(-1));
      ${code}`;
    const worker = new Worker(start, { eval: true });
    const thread = await new Promise<number>((resolve) =>
      worker.once("message", (id) => resolve(Number(id))),
    );
    return { thread, worker };
  };
  const startedMs = performance.now();
  const loops = await run("setImmediate(() => { for (;;); });");
  const waits = await run("Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);");
  const before = threadTime(loops.thread)?.ranMs ?? 0;
  await waitUntil(() => (threadTime(loops.thread)?.ranMs ?? 0) > before + 20, "it runs");
  await waitUntil(() => threadTime(waits.thread)?.isRunnable === false, "it waits");
  assert.equal(threadTime(loops.thread)?.isRunnable, true);
  const ranMs = threadTime(loops.thread)?.ranMs ?? 0;
  assert.ok(ranMs <= performance.now() - startedMs, `it ran ${ranMs} ms`);
  await Promise.all([loops.worker.terminate(), waits.worker.terminate()]);
  assert.equal(threadTime(waits.thread), undefined, "it has ended");
  assert.ok(ownThread() > 0);
});
