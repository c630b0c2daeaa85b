// Two threads that steal against one, on a load that is skewed: all long tasks begin with the same thread.
import { median } from "@voda/stdx/bench";
import { type Handle, MemoryPool } from "@voda/stdx/memory";
import { add, type GraphTask, map, reduce, Team } from "../src/index.ts";
import { spinnersSpeedup } from "./spinners.ts";

const work = reduce("work", { arrays: ["x"], reduction: "sum" }, ({ x }) => x);
const count = map("count", { arrays: ["count"] }, ({ count: before }) => ({ count: add(before, 1) }));

/** Each works about ten microseconds, every other one three times as long, and then counts itself. */
const pairs = 3_000;
const elements = 32_768;
const longElements = 3 * elements;

/** A share of the rounds: one takes a tenth of a second. */
const roundsPerRun = 5;

export async function steal(rounds: number): Promise<Readonly<Record<string, unknown>>> {
  const pool = new MemoryPool({ bytesMax: 64 * 1024 ** 2 });
  const x = pool.alloc(4 * longElements);
  const counts = Array.from({ length: pairs }, () => pool.alloc(4));
  for (const handle of counts) pool.holder.f32(handle)[0] = 0;
  const tasks = counts.flatMap((handle, pair) => twoTasks(x, handle, pair));
  await using alone = new Team(pool, 1);
  await using both = new Team(pool, 2);
  const spinners = await spinnersSpeedup();
  const speedups: number[] = [];
  let stolen = 0;
  const runs = Math.max(3, Math.ceil(rounds / roundsPerRun));
  for (let run = 0; run < runs; run += 1) {
    const one = await timed(() => alone.graph(tasks));
    const two = await timed(async () => {
      stolen += (await both.graph(tasks)).stolen;
    });
    speedups.push(one / two);
  }
  const times = counts.map((handle) => pool.holder.f32(handle)[0] ?? 0);
  return {
    tasks: tasks.length,
    runs: 2 * runs,
    executedTwice: times.filter((of) => of > 2 * runs).length,
    lost: times.filter((of) => of < 2 * runs).length,
    stolen,
    speedup: Math.round(100 * median(speedups)) / 100,
    /** The bar for `speedup` counts where two threads that share nothing reach 1.85. */
    spinners,
  };
}

/** Tasks that are ready go to the threads in turn, so every second pair begins with the same one. */
function twoTasks(x: Handle, own: Handle, pair: number): [GraphTask, GraphTask] {
  const n = pair % 2 === 0 ? longElements : elements;
  return [
    { kernel: work, given: { x }, extent: { n } },
    { kernel: count, given: { count: own }, extent: { n: 1 }, after: [2 * pair] },
  ];
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return performance.now() - start;
}
