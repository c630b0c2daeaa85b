// A kernel as WebAssembly with SIMD.
import { unreachable } from "@voda/stdx";
import { emitProduct } from "./emit-product.ts";
import type { Expression } from "./expression.ts";
import {
  type IndexedKernel,
  type Kernel,
  type MapKernel,
  type ReduceKernel,
  type Reduction,
  type RowsKernel,
  type ScanKernel,
  sizesOf,
} from "./kernel.ts";
import { createNodes, createWalk, elementBytes, four, one, unroll, vectorBytes, type Width } from "./walk.ts";
import { Draft } from "./wasm/draft.ts";
import { access, at, f32, type Instruction, i32, lane, op, open } from "./wasm/instruction.ts";
import type { WasmFunction } from "./wasm/module.ts";

/**
 * The function of a kernel. Its parameters: byte offsets of the arrays, the scalars, the numbers that
 * `sizesOf` names. Only a reduction yields something: its value.
 */
export function emitWasm(kernel: Kernel): WasmFunction {
  const draft = new Draft();
  for (const array of kernel.arrays) draft.parameter(array, "i32");
  for (const scalar of kernel.scalars) draft.parameter(scalar, "f32");
  for (const size of sizesOf[kernel.type]) draft.parameter(`#${size}`, "i32");
  emitBody(draft, kernel);
  return draft.finish(kernel.name, kernel.type === "reduce" ? "f32" : undefined);
}

function emitBody(draft: Draft, kernel: Kernel): void {
  switch (kernel.type) {
    case "map":
      return emitMap(draft, kernel);
    case "reduce":
      return emitReduce(draft, kernel);
    case "rows":
      return emitRows(draft, kernel);
    case "scan":
      return emitScan(draft, kernel);
    case "indexed":
      return emitIndexed(draft, kernel);
    case "product":
      return emitProduct(draft, kernel);
    default:
      return unreachable(kernel);
  }
}

/**
 * All outputs of an index are computed before the first is stored: an output may be an input of another.
 * What four lanes do at once is what they would do one after the other, because an index reads and writes
 * no other.
 */
function emitMap(draft: Draft, { arrays, outputs }: MapKernel): void {
  const values = [...outputs.values()];
  const walk = createWalk(draft, arrays, values);
  const step = (width: Width, offset: number): void => {
    walk.compute(values, width, offset);
    for (const [array, node] of outputs) {
      draft.add(at("local.get", walk.pointer(array)));
      walk.push(node, width);
      draft.add(access(`${width.type}.store`, offset));
    }
  };
  walk.start(draft.of("#n"));
  walk.rounds((offset) => step(four, offset));
  walk.rest(() => step(one, 0));
}

/** The value stays in a local until the end, so that a reduction costs no memory traffic but its reads. */
function emitReduce(draft: Draft, { arrays, value, reduction }: ReduceKernel): void {
  const reducer = createReducer(draft, arrays, value, reduction);
  reducer.run(draft.of("#n"));
  draft.add(at("local.get", reducer.total));
}

/**
 * Rows one after the other, each as a reduction of its own: the vectors stay in the first-level cache, the
 * matrix is read once, in order. Its pointers move by a row whose length is known only when it runs.
 */
function emitRows(draft: Draft, { arrays, matrices, output, value, reduction }: RowsKernel): void {
  const read = arrays.filter((array) => array !== output);
  const reducer = createReducer(draft, read, value, reduction);
  const [row, target, columns] = [draft.local("i32"), draft.of(output), draft.of("#n")];
  draft.while(row, draft.of("#rows"), () => {
    reducer.run(columns);
    draft.add(at("local.get", target), at("local.get", reducer.total), access("f32.store"));
    draft.advance(target, i32(elementBytes));
    draft.advance(row, i32(1));
    // the next row begins where this one ended
    for (const matrix of matrices)
      draft.advance(draft.of(matrix), at("local.get", columns), i32(2), op("i32.shl"));
  });
}

/** Element by element: each sum waits for the one before it, whatever else is done at once. */
function emitScan(draft: Draft, { arrays, value, reduction, output }: ScanKernel): void {
  const walk = createWalk(draft, arrays, [value]);
  const total = draft.local("f32");
  draft.add(f32(neutral[reduction]), at("local.set", total));
  walk.start(draft.of("#n"));
  walk.rest(() => {
    walk.compute([value], one, 0);
    draft.add(at("local.get", walk.pointer(output)), at("local.get", total));
    walk.push(value, one);
    draft.add(joining(reduction, one), at("local.tee", total), access("f32.store"));
  });
}

/**
 * Entries were checked before; another thread may have written the index since, so that each is compared
 * once more: a run that would leave its tables is cut off (a trap), and touches nobody else's memory.
 */
function emitIndexed(draft: Draft, { arrays, tables, index, outputs }: IndexedKernel): void {
  const flat = arrays.filter((array) => !tables.includes(array));
  const values = [...outputs.values()];
  const walk = createWalk(draft, flat, []);
  const places = new Map(tables.map((table) => [table, draft.local("i32")]));
  const placeOf = (array: string): number => places.get(array) ?? walk.pointer(array);
  const nodes = createNodes(draft, values, placeOf);
  const entry = draft.local("i32");
  walk.start(draft.of("#n"));
  walk.rest(() => {
    draft.add(at("local.get", walk.pointer(index)), access("i32.load"), at("local.tee", entry));
    draft.add(at("local.get", draft.of("#entries")), op("i32.lt_u"), op("i32.eqz"));
    draft.add(open("if"), op("unreachable"), op("end"));
    for (const [table, place] of places) {
      draft.add(at("local.get", draft.of(table)), at("local.get", entry), i32(2), op("i32.shl"));
      draft.add(op("i32.add"), at("local.set", place));
    }
    nodes.compute(values, one, 0);
    for (const [array, node] of outputs) {
      draft.add(at("local.get", placeOf(array)));
      nodes.push(node, one);
      draft.add(access("f32.store"));
    }
  });
}

/** What a partial result is before it has seen an element: it changes nothing that it is joined with. */
const neutral: Readonly<Record<Reduction, number>> = {
  sum: 0,
  min: Number.POSITIVE_INFINITY,
  max: Number.NEGATIVE_INFINITY,
};
const joining = (how: Reduction, { prefix }: Width): Instruction =>
  op(`${prefix}.${how === "sum" ? "add" : how}`);

interface Reducer {
  /** Local that has the value after `run`. */
  readonly total: number;
  /** Reduces as many elements as the local `count` says, in the order that `lanes` fixes. */
  readonly run: (count: number) => void;
}

function createReducer(draft: Draft, arrays: readonly string[], value: Expression, how: Reduction): Reducer {
  const walk = createWalk(draft, arrays, [value]);
  const total = draft.local("f32");
  const partial = Array.from({ length: unroll }, () => draft.local("v128"));
  // The value is on the stack above the target: floating-point sums and minima do not care which comes
  // first, but for the bits of a NaN, which no device promises.
  const take = (target: number, width: Width, offset: number): void => {
    walk.compute([value], width, offset);
    draft.add(at("local.get", target));
    walk.push(value, width);
    draft.add(joining(how, width), at("local.set", target));
  };
  const run = (count: number): void => {
    for (const index of partial) draft.add(f32(neutral[how]), op("f32x4.splat"), at("local.set", index));
    walk.start(count);
    walk.rounds((offset) => take(partial[offset / vectorBytes] ?? total, four, offset));
    joinLanes(draft, partial, how);
    draft.add(at("local.set", total));
    walk.rest(() => take(total, one, 0));
  };
  return { total, run };
}

/**
 * Leaves one value on the stack: vectors are joined (lane i with i + 8, then with i + 4), then the lanes of
 * what is left (2, 1).
 */
function joinLanes(draft: Draft, partial: readonly number[], how: Reduction): void {
  const [a, b, c, d] = partial.map((index) => at("local.get", index));
  if (a === undefined || b === undefined || c === undefined || d === undefined)
    throw new RangeError(`${partial.length} partial results where ${unroll} belong`);
  const vectors = joining(how, four);
  const joined = draft.local("v128");
  draft.add(a, c, vectors, b, d, vectors, vectors, at("local.set", joined));
  const from = (index: 0 | 1 | 2 | 3): Instruction[] => [at("local.get", joined), lane(index)];
  const scalars = joining(how, one);
  draft.add(...from(0), ...from(2), scalars, ...from(1), ...from(3), scalars, scalars);
}
