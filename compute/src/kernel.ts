// What a device can be asked to run: an expression and how it walks over arrays.
import type { Expression } from "./expression.ts";

/** How the values of a reduction become one. */
export type Reduction = "sum" | "min" | "max";

interface Signature {
  /** Also the name of its function on every device. */
  readonly name: string;
  /** f32 arrays, in the order of the arguments. */
  readonly arrays: readonly string[];
  /** f32 arguments behind the arrays. */
  readonly scalars: readonly string[];
}

/** For each index: computes all outputs from the elements there, then stores them. */
export interface MapKernel extends Signature {
  readonly type: "map";
  /** By the array that gets it. */
  readonly outputs: ReadonlyMap<string, Expression>;
}

/** One value from all elements. The order of the additions is fixed: see `lanes`. */
export interface ReduceKernel extends Signature {
  readonly type: "reduce";
  readonly reduction: Reduction;
  readonly value: Expression;
}

/**
 * For each row: one value from all columns. `matrices` have an element per row and column, the other arrays
 * one per column.
 */
export interface RowsKernel extends Signature {
  readonly type: "rows";
  readonly matrices: readonly string[];
  /** Gets a value per row; it is the last array and is not read. */
  readonly output: string;
  readonly reduction: Reduction;
  readonly value: Expression;
}

/** For each index, in order: the value joined with those of all indexes before it. */
export interface ScanKernel extends Signature {
  readonly type: "scan";
  /** Gets a value per index; it is the last array and is not read. */
  readonly output: string;
  readonly reduction: Reduction;
  readonly value: Expression;
}

/**
 * Gather and scatter. For each index, in order: computes all outputs from the elements there and, of
 * `tables`, from the entries that `index` names there, then stores them. An entry that is named again has
 * what was stored before.
 */
export interface IndexedKernel extends Signature {
  readonly type: "indexed";
  readonly tables: readonly string[];
  /** The last array, of i32 elements: each from 0 to below the number of entries. */
  readonly index: string;
  /** By the array or table that gets it. */
  readonly outputs: ReadonlyMap<string, Expression>;
}

/**
 * The matrix product, all matrices row by row: each sum begins with 0 and takes its products in ascending
 * order.
 */
export interface ProductKernel extends Signature {
  readonly type: "product";
  /** rows x depth */
  readonly left: string;
  /** depth x columns */
  readonly right: string;
  /** rows x columns; its block is none of the others. */
  readonly output: string;
}

export type Kernel = MapKernel | ReduceKernel | RowsKernel | ScanKernel | IndexedKernel | ProductKernel;

/** Numbers behind the scalars: how far a kernel goes. Each is named in `Extent`. */
export const sizesOf = {
  map: ["n"],
  reduce: ["n"],
  rows: ["rows", "n"],
  scan: ["n"],
  indexed: ["n", "entries"],
  product: ["rows", "depth", "n"],
} as const;

/**
 * A reduction keeps this many partial results: element i of the first `lanes * floor(n / lanes)` goes to
 * lane i mod `lanes`. The lanes are then joined in halves (i with i + 8, then 4, 2, 1), and the elements
 * that are left over are joined one by one, in order. Every device that does so gives the same bits.
 */
export const lanes = 16;
