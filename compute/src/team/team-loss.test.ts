import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Worker } from "node:worker_threads";
import { MemoryPool } from "@voda/stdx/memory";
import { map } from "../define.ts";
import { add, mul } from "../expression.ts";
import { Team } from "./team.ts";

const slow = map("slow", { arrays: ["x", "y"], scalars: ["a"] }, ({ x, y, a }) => ({
  y: Array.from({ length: 100 }).reduce<typeof y>((sum) => add(mul(a, sum), x), y),
}));

test("a run keeps its memory while a thread writes it, however often one dies that has done its part", async () => {
  const threads: Worker[] = [];
  const remember = (thread: Worker): void => void threads.push(thread);
  process.on("worker", remember);
  const pool = new MemoryPool({ bytesMax: 64 * 1024 ** 2 });
  await using team = new Team(pool, 2);
  const n = 2_000_000;
  const [x, y] = [pool.alloc(4 * n), pool.alloc(4 * n)];
  pool.holder.f32(x).fill(1);
  const view = pool.holder.f32(y).fill(0);
  await team.loop(slow, { x, y, a: 1 }, { n: 0 }, 1); // the threads run
  const done = Promise.withResolvers<Worker>();
  for (const thread of threads) thread.once("message", () => done.resolve(thread));
  let isOver = false;
  // one ticket: the other thread finds none, and reports at once
  const run = team.loop(slow, { x, y, a: 1 }, { n }, n).finally(() => {
    isOver = true;
  });
  pool.holder.release(y);
  const idle = await done.promise;
  await idle.terminate();
  const [replacement] = threads.slice(2);
  assert.ok(replacement !== undefined);
  await once(replacement, "online");
  await replacement.terminate();
  assert.equal(pool.live, isOver ? 1 : 2);
  const { ended } = await run;
  assert.deepEqual(new Set(ended), new Set([0, 1]));
  assert.ok(view.every((value) => value === 100));
  assert.equal(pool.live, 1);
  process.off("worker", remember);
});

test("a team keeps no kernel that its owner has dropped", async () => {
  setFlagsFromString("--expose-gc");
  const collect: () => void = runInNewContext("gc");
  const pool = new MemoryPool({ bytesMax: 1024 ** 2 });
  await using team = new Team(pool, 1);
  const x = pool.alloc(4);
  const run = async (): Promise<WeakRef<object>> => {
    const kernel = map("once", { arrays: ["x"] }, ({ x: before }) => ({ x: add(before, 1) }));
    await team.loop(kernel, { x }, { n: 1 }, 1);
    return new WeakRef(kernel);
  };
  const kernel = await run();
  for (let turn = 0; turn < 100 && kernel.deref() !== undefined; turn += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    collect();
  }
  assert.equal(kernel.deref(), undefined);
});
