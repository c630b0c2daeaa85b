// One thread of a team: takes orders, and what it can of each.
import { parentPort, workerData } from "node:worker_threads";
import { BoundedMap } from "@voda/stdx";
import { type Compiled, link } from "../cpu.ts";
import { Deque, nothing } from "./deque.ts";
import {
  argsOfTicket,
  type GraphJob,
  grainsOf,
  type LoopJob,
  type Order,
  progressAt,
  type Report,
  type Task,
} from "./job.ts";

/** How long a thread that found nothing to steal sleeps before it looks again, in milliseconds. */
const recheckMs = 0.05;
/** Looks that it makes before it sleeps. */
const checksMax = 200;
/** Kernels that a thread keeps; linking one anew takes some ten microseconds. */
const linkedMax = 256;

const { memory, index } = workerData as { memory: WebAssembly.Memory; index: number };
const linked = new BoundedMap<number, Compiled>(linkedMax);

parentPort?.on("message", ({ run, job, progress, kernels }: Order) => {
  const compiled = kernels.map(({ id, name, module }) => {
    const found = linked.use(id) ?? link(module, name, memory);
    linked.set(id, found);
    return found;
  });
  const perform = ({ kernel, args }: Task): void => void compiled[kernel]?.(...args);
  const done = job.type === "loop" ? runLoop(job, progress, perform) : runGraph(job, progress, perform);
  const report: Report = { run, ...done };
  parentPort?.postMessage(report);
});

/** What a thread has to tell of its part of a run. */
type Done = Omit<Report, "run">;

/** A ticket is one atomic addition; whoever is faster takes more of them, so a slow core holds nobody up. */
function runLoop(job: LoopJob, progress: Int32Array, perform: (task: Task) => void): Done {
  const grains = grainsOf(job);
  let ended = 0;
  for (;;) {
    const ticket = Atomics.add(progress, progressAt.ticket, 1);
    if (ticket >= grains || Atomics.load(progress, progressAt.aborted) === 1) return { ended, stolen: 0 };
    perform({ kernel: job.task.kernel, args: argsOfTicket(job, ticket) });
    ended += 1;
  }
}

/**
 * Its own newest task first: its data is in the cache. When there is none, somebody else's oldest: it is
 * likely to have the most work behind it. Nobody is told of new tasks; a thread without work looks around,
 * and sleeps in between.
 */
function runGraph(job: GraphJob, progress: Int32Array, perform: (task: Task) => void): Done {
  const deques = job.deques.map((words) => new Deque(words));
  const own = deques[index];
  const done = { ended: 0, stolen: 0 };
  if (own === undefined) return done;
  let idle = 0;
  for (;;) {
    let task = own.pop();
    if (task === nothing) {
      task = stealFrom(deques);
      if (task !== nothing) done.stolen += 1;
    }
    const ended = Atomics.load(progress, progressAt.ended);
    if (ended === job.tasks.length || Atomics.load(progress, progressAt.aborted) === 1) return done;
    if (task === nothing) {
      idle += 1;
      if (idle > checksMax) Atomics.wait(progress, progressAt.ended, ended, recheckMs);
      continue;
    }
    idle = 0;
    done.ended += runTask(task, { job, own, progress, perform });
  }
}

/** The others in turn, from the neighbour on, so that thieves spread. */
function stealFrom(deques: readonly Deque[]): number {
  for (let step = 1; step < deques.length; step += 1) {
    const task = deques[(index + step) % deques.length]?.steal() ?? nothing;
    if (task !== nothing) return task;
  }
  return nothing;
}

interface Running {
  readonly job: GraphJob;
  readonly own: Deque;
  readonly progress: Int32Array;
  readonly perform: (task: Task) => void;
}

/**
 * Runs it, and of those that waited for it what the full deque has no room for. Returns how many tasks that
 * were.
 */
function runTask(task: number, { job, own, progress, perform }: Running): number {
  const mine = [task];
  let ended = 0;
  for (let next = mine.pop(); next !== undefined; next = mine.pop()) {
    const what = job.tasks[next];
    if (what !== undefined) perform(what);
    for (let i = job.first[next] ?? 0; i < (job.first[next + 1] ?? 0); i += 1) {
      const successor = job.successors[i] ?? 0;
      if (Atomics.sub(job.waits, successor, 1) === 1 && !own.push(successor)) mine.push(successor);
    }
    Atomics.add(progress, progressAt.ended, 1);
    ended += 1;
  }
  return ended;
}
