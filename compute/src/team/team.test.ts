import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Worker } from "node:worker_threads";
import { type Handle, MemoryPool } from "@voda/stdx/memory";
import { map, reduce } from "../define.ts";
import { compileJs } from "../emit-js.ts";
import { add, mul } from "../expression.ts";
import * as library from "../library.ts";
import { layOut, tasksMax } from "./graph.ts";
import { type GraphTask, Team } from "./team.ts";

const pool = new MemoryPool({ bytesMax: 64 * 1024 ** 2 });
const team = new Team(pool, 2);
after(() => team[Symbol.asyncDispose]());

function filled(length: number, value: (i: number) => number): Handle {
  const handle = pool.alloc(4 * length);
  pool.holder.f32(handle).forEach((_, i, all) => {
    all[i] = value(i);
  });
  return handle;
}

test("a map in grains gives what it gives in one, for every length beside the grain's", async () => {
  for (const n of [0, 1, 99, 100, 101, 1000]) {
    const [x, y] = [filled(Math.max(1, n), (i) => i), filled(Math.max(1, n), (i) => i / 3)];
    const want = pool.holder.f32(y).slice(0, n);
    compileJs(library.axpy)(pool.holder.f32(x), want, 2, n);
    const { ended, stolen } = await team.loop(library.axpy, { x, y, a: 2 }, { n }, 100);
    assert.equal(stolen, 0, "tickets are taken, not stolen");
    assert.deepEqual(pool.holder.f32(y).slice(0, n), want);
    assert.equal(
      ended.reduce((sum, one) => sum + one, 0),
      Math.ceil(n / 100),
    );
  }
});

test("the last grain ends where the map ends", async () => {
  const [x, y] = [filled(200, () => 1), filled(200, () => 1)];
  await team.loop(library.axpy, { x, y, a: 1 }, { n: 150 }, 100);
  assert.deepEqual(
    [...pool.holder.f32(y)],
    Array.from({ length: 200 }, (_, i) => (i < 150 ? 2 : 1)),
  );
});

test("a matrix in grains of rows gives what it gives in one", async () => {
  const [rows, n] = [37, 19];
  const [matrix, x, y] = [filled(rows * n, (i) => i % 7), filled(n, (i) => i / 5), filled(rows, () => 0)];
  const want = new Float32Array(rows);
  compileJs(library.gemv)(pool.holder.f32(matrix), pool.holder.f32(x), want, rows, n);
  await team.loop(library.gemv, { matrix, x, y }, { n, rows }, 5);
  assert.deepEqual(pool.holder.f32(y), want);
  const { ended } = await team.loop(library.gemv, { matrix, x, y }, { n }, 1);
  assert.equal(Math.max(...ended), 1, "without rows it is one");
});

test("the rows of a product are shared out", async () => {
  const sizes = { n: 21, rows: 33, depth: 5 };
  const [a, b, c] = [filled(33 * 5, (i) => i % 7), filled(5 * 21, (i) => i / 5), filled(33 * 21, () => 0)];
  const want = new Float32Array(33 * 21);
  compileJs(library.gemm)(pool.holder.f32(a), pool.holder.f32(b), want, 33, 5, 21);
  await team.loop(library.gemm, { a, b, c }, sizes, 6);
  assert.deepEqual(pool.holder.f32(c), want);
});

test("what has a fixed order is no loop", async () => {
  const [x, y] = [filled(8, () => 1), filled(8, () => 0)];
  const square = reduce("square", { arrays: ["x"], reduction: "sum" }, (nodes) => mul(nodes.x, nodes.x));
  for (const [kernel, given] of [
    [square, { x }],
    [library.cumsum, { x, y }],
    [library.gather, { y, table: x, at: y }],
  ] as const)
    await assert.rejects(team.loop(kernel, given, { n: 8 }, 1), {
      code: "bad_argument",
      message: /the order of kernel \w+ \((reduce|scan|indexed)\) is fixed; run it as one task/,
    });
});

test("a team has 1 to 64 threads", () => {
  for (const threads of [0, -1, 1.5, 65])
    assert.throws(() => new Team(pool, threads), { code: "bad_argument", message: /1\.\.64 are possible/ });
});

test("a loop whose grain is no whole number from 1 is refused", async () => {
  const [x, y] = [filled(8, () => 1), filled(8, () => 1)];
  for (const grain of [0, -1, 1.5])
    await assert.rejects(team.loop(library.axpy, { x, y, a: 1 }, { n: 8 }, grain), { code: "bad_argument" });
});

/** y = a * y + x: its result tells in which order tasks ran. */
const step = map("step", { arrays: ["x", "y"], scalars: ["a"] }, ({ x, y, a }) => ({ y: add(mul(a, y), x) }));

test("tasks of a graph run once each, after those that they wait for", async () => {
  const chains = 40;
  const links = 25;
  const one = filled(1, () => 1);
  const values = Array.from({ length: chains }, () => filled(1, () => 0));
  const tasks: GraphTask[] = [];
  for (let link = 0; link < links; link += 1)
    for (const [chain, y] of values.entries()) {
      const before = link === 0 ? [] : [(link - 1) * chains + chain];
      // the scalar differs from link to link: another order gives another number
      tasks.push({ kernel: step, given: { x: one, y, a: 1 + link / 16 }, extent: { n: 1 }, after: before });
    }
  const want = new Float32Array(1);
  for (let link = 0; link < links; link += 1) compileJs(step)(Float32Array.of(1), want, 1 + link / 16, 1);
  const { ended } = await team.graph(tasks);
  for (const y of values) assert.deepEqual(pool.holder.f32(y), want);
  assert.equal(
    ended.reduce((sum, count) => sum + count, 0),
    chains * links,
  );
});

test("all tasks that wait for one run after it, and one that waits for many runs last", async () => {
  const one = filled(1, () => 1);
  const sums = Array.from({ length: 8 }, () => filled(1, () => 0));
  const [last = 0 as Handle] = sums;
  const task = (y: Handle, follows: readonly number[]): GraphTask => ({
    kernel: step,
    given: { x: one, y, a: 2 },
    extent: { n: 1 },
    after: follows,
  });
  const fan = sums.map((y) => task(y, [0]));
  const { ended } = await team.graph([
    task(last, []),
    ...fan,
    task(
      last,
      fan.map((_, i) => i + 1),
    ),
  ]);
  assert.deepEqual(
    sums.map((y) => pool.holder.f32(y)[0]),
    [7, 1, 1, 1, 1, 1, 1, 1],
  );
  assert.equal(
    ended.reduce((sum, count) => sum + count, 0),
    10,
  );
});

test("a task that waits for two is not begun after the first of them", async () => {
  await using alone = new Team(pool, 1);
  const [one, y] = [filled(1, () => 1), filled(1, () => 0)];
  const task = (a: number, follows: readonly number[]): GraphTask => ({
    kernel: step,
    given: { x: one, y, a },
    extent: { n: 1 },
    after: follows,
  });
  const { ended, stolen } = await alone.graph([task(2, []), task(3, []), task(5, [0, 1])]);
  assert.deepEqual([ended, stolen, pool.holder.f32(y)[0]], [[3], 0, (1 * 2 + 1) * 5 + 1]);
});

test("each task of a graph runs its own kernel", async () => {
  const [x, y] = [filled(1, () => 3), filled(1, () => 1)];
  const given = { x, y, a: 10 };
  const task = (kernel: GraphTask["kernel"], follows: readonly number[]): GraphTask => ({
    kernel,
    given,
    extent: { n: 1 },
    after: follows,
  });
  await team.graph([task(step, []), task(library.axpy, [0]), task(step, [1])]);
  assert.deepEqual(pool.holder.f32(y)[0], 10 * (10 * 1 + 3 + 10 * 3) + 3);
});

for (const busy of [0, 1])
  test(`what waits at thread ${busy} is stolen by the other`, async () => {
    const n = 20_000;
    const [x, ...ys] = Array.from({ length: 60 }, () => filled(n, () => 0));
    const tasks = [filled(1, () => 0), filled(1, () => 0), ...ys].map(
      (y, i): GraphTask => ({
        kernel: step,
        given: { x: x ?? y, y, a: 2 },
        extent: { n: i < 2 ? 1 : n },
        after: i < 2 ? [] : [busy],
      }),
    );
    // the other thread may come late, on a busy machine
    let { ended, stolen } = await team.graph(tasks);
    const isStolen = (): boolean => (ended[1 - busy] ?? 0) > 1 && stolen > 0;
    for (let round = 0; !isStolen() && round < 1_000; round += 1)
      ({ ended, stolen } = await team.graph(tasks));
    assert.ok(isStolen());
    assert.equal(
      ended.reduce((sum, one) => sum + one, 0),
      tasks.length,
    );
  });

test("more tasks than a deque usually has places are all run", async () => {
  const [x, y] = [filled(1, () => 1), filled(1, () => 0)];
  const task: GraphTask = { kernel: step, given: { x, y, a: 0 }, extent: { n: 1 } };
  await using alone = new Team(pool, 1);
  const { ended } = await alone.graph(Array.from({ length: 10_000 }, () => task));
  assert.deepEqual(ended, [10_000]);
});

test("a graph that cannot end is refused with the task that is stuck", () => {
  assert.throws(() => layOut([[1], [0], []]), { code: "bad_argument", message: /task 0 waits for itself/ });
  for (const follows of [
    [[], [0, 2], [1]],
    [[], [2], [1], []],
  ])
    assert.throws(() => layOut(follows), { code: "bad_argument", message: /task 1 waits for itself/ });
  assert.throws(() => layOut([[1]]), {
    code: "bad_argument",
    message: /task 0 waits for task 1, which is not in 0..0/,
  });
  for (const other of [-1, 0.5, Number.NaN])
    assert.throws(() => layOut([[other]]), { code: "bad_argument", message: /is not in 0\.\.0/ });
  assert.equal(layOut(Array.from({ length: tasksMax }, () => [])).waits.length, tasksMax);
  assert.throws(() => layOut(Array.from({ length: tasksMax + 1 }, () => [])), {
    code: "bad_argument",
    message: /exceed tasksMax/,
  });
});

test("what a run touches is held until it ends, whoever releases it", async () => {
  const [x, y] = [filled(1000, () => 1), filled(1000, () => 1)];
  const before = pool.live;
  const run = team.loop(library.axpy, { x, y, a: 1 }, { n: 1000 }, 10);
  pool.holder.release(x);
  assert.equal(pool.live, before);
  await run;
  assert.equal(pool.live, before - 1);
  await assert.rejects(team.loop(library.axpy, { x, y, a: 1 }, { n: 1 }, 1), { code: "stale_handle" });
});

test("a run whose team is closed fails, gives its memory back, and later ones fail too", async () => {
  const closing = new Team(pool, 2);
  const [x, y] = [filled(200_000, () => 1), filled(200_000, () => 1)];
  const before = pool.live;
  const run = closing.loop(library.axpy, { x, y, a: 1 }, { n: 200_000 }, 1);
  const refused = assert.rejects(run, { code: "worker_lost" });
  await closing[Symbol.asyncDispose]();
  await refused;
  await assert.rejects(closing.loop(library.axpy, { x, y, a: 1 }, { n: 1 }, 1), { code: "worker_lost" });
  for (const handle of [x, y]) pool.holder.release(handle);
  assert.equal(pool.live, before - 2);
});

test("a graph of which a thread dies fails, and the others begin no task of it any more", async () => {
  const threads: Worker[] = [];
  const remember = (thread: Worker): void => void threads.push(thread);
  process.on("worker", remember);
  await using mortal = new Team(pool, 2);
  const n = 100_000;
  const [x, y] = [filled(n, () => 1), filled(n, () => 0)];
  const given = { x, y, a: 1 };
  await mortal.graph([{ kernel: library.axpy, given, extent: { n: 1 } }]); // the threads run
  const chain = Array.from({ length: 20_000 }, (_, i): GraphTask => {
    return { kernel: library.axpy, given, extent: { n }, after: i === 0 ? [] : [i - 1] };
  });
  const failed = assert.rejects(mortal.graph(chain), { code: "worker_lost" });
  await threads[0]?.terminate();
  await failed;
  const ran = pool.holder.f32(y)[0] ?? 0;
  assert.ok(ran < chain.length, `${ran} tasks`);
  process.off("worker", remember);
  for (const handle of [x, y]) pool.holder.release(handle);
});

test("a thread that dies fails its run, gives the memory back, and is replaced", async () => {
  const threads: Worker[] = [];
  const remember = (thread: Worker): void => void threads.push(thread);
  process.on("worker", remember);
  await using mortal = new Team(pool, 2);
  const [x, y] = [filled(4_000_000, () => 1), filled(4_000_000, () => 1)];
  const before = pool.live;
  await mortal.loop(library.axpy, { x, y, a: 1 }, { n: 10 }, 1);
  const run = mortal.loop(library.axpy, { x, y, a: 1 }, { n: 4_000_000 }, 1);
  const failed = assert.rejects(run, { code: "worker_lost" });
  await threads[0]?.terminate();
  await failed;
  assert.equal(pool.live, before);
  assert.ok(pool.holder.f32(y).includes(1), "the other thread stopped too");
  pool.holder.f32(y).fill(1);
  const { ended } = await mortal.loop(library.axpy, { x, y, a: 1 }, { n: 4_000_000 }, 1000);
  assert.ok(pool.holder.f32(y).every((value) => value === 2));
  assert.deepEqual([ended.length, threads.length], [2, 3]);
  process.off("worker", remember);
  for (const handle of [x, y]) pool.holder.release(handle);
});
