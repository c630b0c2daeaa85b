// A graph of tasks: checked, and laid out so that threads can follow it without objects.
import { ComputeError } from "../errors.ts";

/** The edges of a graph as arrays. */
export interface Layout {
  readonly first: Int32Array;
  readonly successors: Int32Array;
  readonly waits: Int32Array;
}

/** Tasks of one graph. */
export const tasksMax = 1_000_000;

/**
 * @param after for each task, the indexes of those that must have ended before it begins
 * @throws ComputeError `bad_argument` for an index that is none and for tasks that wait for each other
 */
export function layOut(after: readonly (readonly number[])[]): Layout {
  const size = after.length;
  if (size > tasksMax)
    throw new ComputeError("bad_argument", `${size} tasks exceed tasksMax ${tasksMax}; run several graphs`);
  const waits = new Int32Array(new SharedArrayBuffer(4 * size));
  const first = new Int32Array(size + 1);
  for (const [task, before] of after.entries()) {
    waits[task] = before.length;
    for (const other of before) {
      if (!Number.isInteger(other) || other < 0 || other >= size)
        throw new ComputeError(
          "bad_argument",
          `task ${task} waits for task ${other}, which is not in 0..${size - 1}`,
        );
      first[other + 1] = (first[other + 1] ?? 0) + 1;
    }
  }
  for (let task = 0; task < size; task += 1) first[task + 1] = (first[task + 1] ?? 0) + (first[task] ?? 0);
  const successors = new Int32Array(first[size] ?? 0);
  const filled = first.slice();
  for (const [task, before] of after.entries())
    for (const other of before) {
      successors[filled[other] ?? 0] = task;
      filled[other] = (filled[other] ?? 0) + 1;
    }
  refuseCycles({ first, successors, waits });
  return { first, successors, waits };
}

/** Kahn's order (1962): what it does not reach waits for itself. */
function refuseCycles({ first, successors, waits }: Layout): void {
  const left = Int32Array.from(waits);
  const ready = [...left.keys()].filter((task) => left[task] === 0);
  for (let done = 0; done < ready.length; done += 1) {
    const task = ready[done] ?? 0;
    for (let i = first[task] ?? 0; i < (first[task + 1] ?? 0); i += 1) {
      const next = successors[i] ?? 0;
      left[next] = (left[next] ?? 0) - 1;
      if (left[next] === 0) ready.push(next);
    }
  }
  const stuck = left.findIndex((count) => count > 0);
  if (stuck >= 0) throw new ComputeError("bad_argument", `task ${stuck} waits for itself, by way of others`);
}
