// What a team of threads is asked to do, as it travels to them. Everything was checked before.

/** A compiled kernel with the numbers that it takes. */
export interface Task {
  /** Index in the job's kernels. */
  readonly kernel: number;
  readonly args: readonly number[];
}

/** One kernel over an index range that is cut into grains; threads take tickets. */
export interface LoopJob {
  readonly type: "loop";
  readonly task: Task;
  /** Bytes by which each argument moves from one index to the next; 0 for those that stay. */
  readonly strides: readonly number[];
  /** Which argument is the count of indexes. */
  readonly countAt: number;
  readonly count: number;
  /** Indexes of one ticket. */
  readonly grain: number;
}

/** Tasks of which some wait for others; threads steal from each other. */
export interface GraphJob {
  readonly type: "graph";
  readonly tasks: readonly Task[];
  /** Task `i` is waited for by `successors[first[i]] .. successors[first[i + 1] - 1]`. */
  readonly first: Int32Array;
  readonly successors: Int32Array;
  /** Shared: how many tasks each one still waits for. */
  readonly waits: Int32Array;
  /** Shared: the deque of each thread. */
  readonly deques: readonly Int32Array[];
}

export type Job = LoopJob | GraphJob;

/** Words of `progress`, shared by the threads of one job. */
export const progressAt = {
  /** Next ticket of a loop. */
  ticket: 0,
  /** Tasks of a graph that have ended. */
  ended: 1,
  /** 1: stop as soon as the task at hand has ended. */
  aborted: 2,
} as const;
export const progressWords = 3;

/** To a thread: a job, and the kernels that it has not seen yet. */
export interface Order {
  readonly run: number;
  readonly job: Job;
  readonly progress: Int32Array;
  /** Names and modules of the job's kernels, in order. */
  readonly kernels: readonly {
    readonly id: number;
    readonly name: string;
    readonly module: WebAssembly.Module;
  }[];
}

/** From a thread: it has done all that it could of that run. */
export interface Report {
  readonly run: number;
  /** Tasks or tickets that this thread ended. */
  readonly ended: number;
  /** Of those, what it stole. */
  readonly stolen: number;
}

/** Grains of a loop. */
export const grainsOf = ({ count, grain }: Pick<LoopJob, "count" | "grain">): number =>
  Math.ceil(count / grain);

/** The numbers for one ticket. */
export function argsOfTicket({ task, strides, countAt, count, grain }: LoopJob, ticket: number): number[] {
  const start = ticket * grain;
  const args = task.args.map((value, i) => value + start * (strides[i] ?? 0));
  args[countAt] = Math.min(grain, count - start);
  return args;
}
