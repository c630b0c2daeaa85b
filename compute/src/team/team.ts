// Several threads over one pool: a loop is shared out by tickets, a graph of tasks by stealing.
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { Handle, MemoryPool } from "@voda/stdx/memory";
import { type Arguments, bind, type Extent, handlesOf, strideOf } from "../bind.ts";
import { compileWasm } from "../cpu.ts";
import { ComputeError } from "../errors.ts";
import type { Kernel } from "../kernel.ts";
import { Deque, dequeWords } from "./deque.ts";
import { layOut } from "./graph.ts";
import { type Job, type Order, progressAt, progressWords, type Report, type Task } from "./job.ts";

/** Tasks that one thread keeps for others to steal. */
const dequePlaces = 8_192;

/** One task of a graph. */
export interface GraphTask {
  readonly kernel: Kernel;
  readonly given: Arguments;
  readonly extent: Extent;
  /** Indexes of the tasks that must have ended before it begins. */
  readonly after?: readonly number[];
}

/** How a run was shared out. */
export interface Shares {
  /** Tickets or tasks that each thread ended. */
  readonly ended: readonly number[];
  /** Tasks that threads took from others. */
  readonly stolen: number;
}

interface Module {
  readonly id: number;
  readonly module: WebAssembly.Module;
}

interface Running {
  readonly run: number;
  readonly progress: Int32Array;
  readonly held: readonly Handle[];
  readonly ended: number[];
  stolen: number;
  /** Threads that may still write what is held. */
  readonly working: Set<number>;
  readonly done: PromiseWithResolvers<Shares>;
  problem: ComputeError | undefined;
}

/**
 * Runs kernels on threads of its own; the caller's thread stays free. One run at a time, others wait in
 * order. What a run touches is held until it ends. When a thread dies, its run fails with `worker_lost`:
 * what it wrote is undefined, memory is given back, and the thread is replaced.
 */
export class Team implements AsyncDisposable {
  readonly #pool: MemoryPool;
  readonly #threads: Worker[] = [];
  readonly #compiled = new WeakMap<Kernel, Module>();
  #compilations = 0;
  #running: Running | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #runs = 0;
  #isClosed = false;

  /** @param threads 1..64, by default one for each core */
  constructor(pool: MemoryPool, threads: number = availableParallelism()) {
    if (!Number.isInteger(threads) || threads < 1 || threads > 64)
      throw new ComputeError("bad_argument", `a team of ${threads} threads; 1..64 are possible`);
    this.#pool = pool;
    for (let index = 0; index < threads; index += 1) this.#start(index);
  }

  /**
   * A map over its elements, or `rows` and `product` over their rows, in grains that threads take one after
   * the other.
   * @param grain elements or rows of one ticket, at least 1: ten microseconds of work keep the cost of
   * tickets below 1 %
   * @throws ComputeError `bad_argument`, `worker_lost`, MemoryError `stale_handle`
   */
  async loop(kernel: Kernel, given: Arguments, extent: Extent, grain: number): Promise<Shares> {
    if (kernel.type === "reduce" || kernel.type === "scan" || kernel.type === "indexed")
      throw new ComputeError(
        "bad_argument",
        `the order of kernel ${kernel.name} (${kernel.type}) is fixed; run it as one task`,
      );
    const args = bind(this.#pool.holder, kernel, given, extent);
    const count = kernel.type === "map" ? extent.n : (extent.rows ?? 1);
    // tickets are 32-bit numbers: there are fewer indexes than that
    if (!Number.isInteger(grain) || grain < 1)
      throw new ComputeError("bad_argument", `a grain of ${grain}; it is a whole number from 1`);
    const strides = kernel.arrays.map((array) => strideOf(kernel, array, extent));
    const countAt = kernel.arrays.length + kernel.scalars.length;
    const job: Job = { type: "loop", task: { kernel: 0, args }, strides, countAt, count, grain };
    return this.#enqueue(job, [kernel], handlesOf(kernel, given));
  }

  /**
   * Tasks in an order that keeps every `after`. @throws ComputeError `bad_argument`, `worker_lost`,
   * MemoryError `stale_handle`
   */
  async graph(graph: readonly GraphTask[]): Promise<Shares> {
    const kernels = [...new Set(graph.map(({ kernel }) => kernel))];
    const indexes = new Map(kernels.map((kernel, i) => [kernel, i]));
    const tasks: Task[] = graph.map(({ kernel, given, extent }) => ({
      kernel: indexes.get(kernel) ?? 0,
      args: bind(this.#pool.holder, kernel, given, extent),
    }));
    const layout = layOut(graph.map(({ after = [] }) => after));
    const ready = [...layout.waits.keys()].filter((task) => layout.waits[task] === 0);
    const places = Math.max(dequePlaces, 2 ** Math.ceil(Math.log2(ready.length + 1)));
    const deques = this.#threads.map(() => new Int32Array(new SharedArrayBuffer(4 * dequeWords(places))));
    for (const [i, task] of ready.entries())
      new Deque(deques[i % deques.length] ?? new Int32Array()).push(task);
    const handles = graph.flatMap(({ kernel, given }) => handlesOf(kernel, given));
    return this.#enqueue({ type: "graph", tasks, ...layout, deques }, kernels, handles);
  }

  /** Ends the threads; a run that is under way fails. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#threads.map((thread) => thread.terminate()));
  }

  /** What the run touches is held from now on, also while it waits for its turn. */
  #enqueue(job: Job, kernels: readonly Kernel[], handles: readonly Handle[]): Promise<Shares> {
    const { holder } = this.#pool;
    for (const handle of handles) holder.retain(handle);
    const turn = this.#queue.then(() => this.#run(job, kernels, handles));
    this.#queue = Promise.allSettled([turn]);
    return turn;
  }

  #run(job: Job, kernels: readonly Kernel[], held: readonly Handle[]): Promise<Shares> {
    this.#runs += 1;
    const running: Running = {
      run: this.#runs,
      progress: new Int32Array(new SharedArrayBuffer(4 * progressWords)),
      held,
      ended: this.#threads.map(() => 0),
      stolen: 0,
      working: new Set(this.#threads.keys()),
      done: Promise.withResolvers(),
      problem: this.#isClosed ? new ComputeError("worker_lost", "the team is closed") : undefined,
    };
    this.#running = running;
    if (running.problem !== undefined) {
      this.#end(running);
      return running.done.promise;
    }
    const order: Order = {
      run: running.run,
      job,
      progress: running.progress,
      kernels: kernels.map((kernel) => ({ name: kernel.name, ...this.#moduleOf(kernel) })),
    };
    for (const thread of this.#threads) thread.postMessage(order);
    return running.done.promise;
  }

  /**
   * A module is compiled once and sent to every thread; each links it to the memory when it first sees it,
   * and keeps `linkedMax` of them.
   */
  #moduleOf(kernel: Kernel): Module {
    const known = this.#compiled.get(kernel);
    if (known !== undefined) return known;
    this.#compilations += 1;
    const compiled = { id: this.#compilations, module: compileWasm(kernel) };
    this.#compiled.set(kernel, compiled);
    return compiled;
  }

  #start(index: number): void {
    const thread = new Worker(new URL("./thread.ts", import.meta.url), {
      workerData: { memory: this.#pool.memory, index },
    });
    thread.unref();
    thread.on("message", (report: Report) => this.#reported(index, report));
    thread.once("exit", () => this.#lost(index));
    thread.once("error", (cause) => this.#fail(index, cause));
    this.#threads[index] = thread;
  }

  /** A report of a run that failed meanwhile says nothing any more. */
  #reported(index: number, { run, ended, stolen }: Report): void {
    const running = this.#running;
    if (running?.run !== run) return;
    running.ended[index] = ended;
    running.stolen += stolen;
    this.#left(running, index);
  }

  #lost(index: number): void {
    this.#fail(index, undefined);
    if (!this.#isClosed) this.#start(index);
    if (this.#running !== undefined) this.#left(this.#running, index);
  }

  /**
   * The others stop at the end of their task. A thread that has reported has done its part, and its
   * replacement never had one: the run goes on without them.
   */
  #fail(index: number, cause: unknown): void {
    const running = this.#running;
    if (running?.working.has(index) !== true) return;
    const message = `thread ${index} ended in the middle of a run; run it again from its inputs`;
    running.problem ??= new ComputeError("worker_lost", message, { cause });
    Atomics.store(running.progress, progressAt.aborted, 1);
  }

  /** Others may still write: memory is given back when all of them have stopped. */
  #left(running: Running, index: number): void {
    if (running.working.delete(index) && running.working.size === 0) this.#end(running);
  }

  #end(running: Running): void {
    this.#running = undefined;
    for (const handle of running.held) this.#pool.holder.release(handle);
    if (running.problem === undefined) running.done.resolve({ ended: running.ended, stolen: running.stolen });
    else running.done.reject(running.problem);
  }
}
