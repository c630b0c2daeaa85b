// From what a caller names to what a compiled kernel takes, checked: all that it will touch is held and
// long enough.
import { unreachable } from "@voda/stdx";
import type { Handle, Holder } from "@voda/stdx/memory";
import { ComputeError } from "./errors.ts";
import { type IndexedKernel, type Kernel, type ProductKernel, sizesOf } from "./kernel.ts";

/** By name: a block for each array, a number for each scalar. */
export type Arguments = Readonly<Record<string, Handle | number>>;

/** How far a kernel goes: each 0..2^30-1, default 1. */
export interface Extent {
  /** Elements; of `rows` and `product` the columns. */
  readonly n: number;
  /** Of `rows` and `product`. */
  readonly rows?: number;
  /** Of `product`: the columns of the left matrix, which are the rows of the right one. */
  readonly depth?: number;
  /** Of `indexed`: elements of each table. */
  readonly entries?: number;
}
type Sizes = Required<Extent>;

const elementBytes = 4;
const countMax = 2 ** 30;

/**
 * Numbers for the compiled function: byte offsets, scalars, counts. @throws ComputeError `bad_argument`,
 * MemoryError `stale_handle`
 */
export function bind(holder: Holder, kernel: Kernel, given: Arguments, extent: Extent): number[] {
  const sizes = { rows: 1, depth: 1, entries: 1, ...extent };
  for (const size of sizesOf[kernel.type]) checkCount(kernel, size, sizes[size]);
  const args: number[] = [];
  for (const array of kernel.arrays)
    args.push(offsetOf(holder, kernel, array, given[array], elementsOf(kernel, array, sizes)));
  for (const scalar of kernel.scalars) {
    const value = given[scalar];
    if (value === undefined)
      throw new ComputeError("bad_argument", `kernel ${kernel.name} needs the scalar "${scalar}"`);
    args.push(value);
  }
  if (kernel.type === "indexed") checkIndex(holder, kernel, given, sizes);
  if (kernel.type === "product") checkOutput(kernel, given);
  for (const size of sizesOf[kernel.type]) args.push(sizes[size]);
  return args;
}

function checkIndex(holder: Holder, { name, index }: IndexedKernel, given: Arguments, sizes: Sizes): void {
  const entries = holder.i32(given[index] as Handle);
  const at = strayOf(entries, sizes);
  if (at >= 0)
    throw new ComputeError(
      "bad_argument",
      `array "${index}" of kernel ${name} names entry ${entries[at]} at ${at}; the tables have ${sizes.entries} entries`,
    );
}

/**
 * Where the first of `n` elements is that names no entry, or -1. A loop, because `findIndex` takes ten times
 * as long; a negative number is a large one without its sign.
 */
function strayOf(index: Int32Array, { n, entries }: Sizes): number {
  for (let i = 0; i < n; i += 1) if ((index[i] ?? 0) >>> 0 >= entries) return i;
  return -1;
}

/** It is written before all of the inputs are read. */
function checkOutput({ name, left, right, output }: ProductKernel, given: Arguments): void {
  const same = [left, right].find((array) => given[array] === given[output]);
  if (same !== undefined)
    throw new ComputeError(
      "bad_argument",
      `array "${output}" of kernel ${name} is the block of "${same}"; give it a block of its own`,
    );
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
 * Bytes from an element of an array to that of the next element or, where there are rows, row: 0 when all see
 * the same.
 */
export function strideOf(kernel: Kernel, array: string, { n, depth = 1 }: Extent): number {
  switch (kernel.type) {
    case "rows":
      if (array === kernel.output) return elementBytes;
      return kernel.matrices.includes(array) ? elementBytes * n : 0;
    case "product":
      if (array === kernel.right) return 0;
      return elementBytes * (array === kernel.output ? n : depth);
    case "map":
    case "reduce":
    case "scan":
    case "indexed":
      return elementBytes;
    default:
      return unreachable(kernel);
  }
}

function elementsOf(kernel: Kernel, array: string, { n, rows, depth, entries }: Sizes): number {
  switch (kernel.type) {
    case "rows":
      if (array === kernel.output) return rows;
      return kernel.matrices.includes(array) ? rows * n : n;
    case "indexed":
      return kernel.tables.includes(array) ? entries : n;
    case "product":
      if (array === kernel.output) return rows * n;
      return depth * (array === kernel.left ? rows : n);
    case "map":
    case "reduce":
    case "scan":
      return n;
    default:
      return unreachable(kernel);
  }
}
