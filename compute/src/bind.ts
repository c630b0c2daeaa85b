// From what a caller names to what a compiled kernel takes, checked: all that it will touch is held and
// long enough.
import type { Handle, Holder } from "@voda/stdx/memory";
import { ComputeError } from "./errors.ts";
import type { Kernel } from "./kernel.ts";

/** By name: a block for each array, a number for each scalar. */
export type Arguments = Readonly<Record<string, Handle | number>>;

/** How far a kernel goes. */
export interface Extent {
  /** Elements; of a `rows` kernel the columns. 0..2^30-1 */
  readonly n: number;
  /** Of a `rows` kernel: 0..2^30-1, default 1. */
  readonly rows?: number;
}

const elementBytes = 4;
const countMax = 2 ** 30;

/**
 * Numbers for the compiled function: byte offsets, scalars, counts. @throws ComputeError `bad_argument`,
 * MemoryError `stale_handle`
 */
export function bind(holder: Holder, kernel: Kernel, given: Arguments, { n, rows = 1 }: Extent): number[] {
  checkCount(kernel, "n", n);
  checkCount(kernel, "rows", rows);
  const args: number[] = [];
  for (const array of kernel.arrays)
    args.push(offsetOf(holder, kernel, array, given[array], elementsOf(kernel, array, n, rows)));
  for (const scalar of kernel.scalars) {
    const value = given[scalar];
    if (value === undefined)
      throw new ComputeError("bad_argument", `kernel ${kernel.name} needs the scalar "${scalar}"`);
    args.push(value);
  }
  if (kernel.type === "rows") args.push(rows);
  args.push(n);
  return args;
}

function checkCount(kernel: Kernel, name: string, value: number): void {
  if (!Number.isInteger(value) || value < 0 || value >= countMax)
    throw new ComputeError("bad_argument", `${name} ${value} of kernel ${kernel.name} is not in 0..2^30-1`);
}

function offsetOf(
  holder: Holder,
  kernel: Kernel,
  array: string,
  given: Handle | number | undefined,
  elements: number,
): number {
  const handle = given ?? missing(kernel, array);
  const bytes = holder.bytes(handle as Handle); // a number that is no handle is refused as stale
  if (bytes < elementBytes * elements)
    throw new ComputeError(
      "bad_argument",
      `array "${array}" of kernel ${kernel.name} has ${bytes} bytes, ${elementBytes * elements} are needed; give a larger block`,
    );
  return holder.offset(handle as Handle);
}

function missing(kernel: Kernel, array: string): never {
  throw new ComputeError("bad_argument", `kernel ${kernel.name} needs the array "${array}"`);
}

/** The blocks that a run touches. */
export const handlesOf = (kernel: Kernel, given: Arguments): Handle[] =>
  kernel.arrays.map((array) => (given[array] ?? missing(kernel, array)) as Handle);

/**
 * Bytes from an element of an array to that of the next element or, for `rows`, row: 0 when all see the
 * same.
 */
export function strideOf(kernel: Kernel, array: string, n: number): number {
  if (kernel.type !== "rows" || array === kernel.output) return elementBytes;
  return kernel.matrices.includes(array) ? elementBytes * n : 0;
}

function elementsOf(kernel: Kernel, array: string, n: number, rows: number): number {
  if (kernel.type !== "rows") return n;
  if (array === kernel.output) return rows;
  return kernel.matrices.includes(array) ? rows * n : n;
}
