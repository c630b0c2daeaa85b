// A kernel as WebAssembly with SIMD: rounds of four vectors of four elements, then what is left one by one.
import { type Expression, inOrder } from "./expression.ts";
import {
  type Kernel,
  lanes,
  type MapKernel,
  type ReduceKernel,
  type Reduction,
  type RowsKernel,
} from "./kernel.ts";
import { Draft } from "./wasm/draft.ts";
import { access, at, f32, type Instruction, i32, lane, op, type PlainName } from "./wasm/instruction.ts";
import type { WasmFunction } from "./wasm/module.ts";

/** Of one f32. */
const elementBytes = 4;
/** Of one v128: four elements. */
const vectorBytes = 16;
const roundBytes = lanes * elementBytes;
/** Vectors of one round: a reduction keeps a partial result for each, so that their additions overlap. */
const unroll = roundBytes / vectorBytes;

/** How many elements are computed at a time: one or four. */
interface Width {
  readonly type: "f32" | "v128";
  readonly prefix: "f32" | "f32x4";
}
const one: Width = { type: "f32", prefix: "f32" };
const four: Width = { type: "v128", prefix: "f32x4" };

/**
 * The function of a kernel. Its parameters: byte offsets of the arrays, the scalars, the number of elements
 * (`rows`: of rows, then of columns). Only a reduction yields something: its value.
 */
export function emitWasm(kernel: Kernel): WasmFunction {
  const draft = new Draft();
  for (const array of kernel.arrays) draft.parameter(array, "i32");
  for (const scalar of kernel.scalars) draft.parameter(scalar, "f32");
  for (const size of kernel.type === "rows" ? ["rows", "columns"] : ["n"]) draft.parameter(`#${size}`, "i32");
  if (kernel.type === "map") emitMap(draft, kernel);
  else if (kernel.type === "reduce") emitReduce(draft, kernel);
  else emitRows(draft, kernel);
  return draft.finish(kernel.name, kernel.type === "reduce" ? "f32" : undefined);
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
  const [row, target, columns] = [draft.local("i32"), draft.of(output), draft.of("#columns")];
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

/** Goes over arrays at the same pace: a pointer for each, moved on by rounds, then by elements. */
interface Walk {
  /** From the arrays' beginnings, over as many elements as the local `count` says. */
  readonly start: (count: number) => void;
  /** `step` writes what is done with one vector at this offset from the pointers. */
  readonly rounds: (step: (offset: number) => void) => void;
  readonly rest: (step: () => void) => void;
  readonly pointer: (array: string) => number;
  /** Computes these values; `push` then leaves one of them on the stack. */
  readonly compute: (values: readonly Expression[], width: Width, offset: number) => void;
  readonly push: (node: Expression, width: Width) => void;
}

function createWalk(draft: Draft, arrays: readonly string[], values: readonly Expression[]): Walk {
  const pointers = new Map(arrays.map((array) => [array, draft.local("i32")]));
  const [first = -1] = pointers.values();
  const [roundsEnd, end] = [draft.local("i32"), draft.local("i32")];
  const nodes = createNodes(draft, values, (array) => pointers.get(array) ?? -1);
  const advance = (bytes: number): void => {
    for (const pointer of pointers.values()) draft.advance(pointer, i32(bytes));
  };
  return {
    ...nodes,
    pointer: (array) => pointers.get(array) ?? -1,
    start(count) {
      for (const [array, pointer] of pointers)
        draft.add(at("local.get", draft.of(array)), at("local.set", pointer));
      const bytes = (of: readonly Instruction[]): Instruction[] => [
        at("local.get", first),
        ...of,
        op("i32.add"),
      ];
      // Counts are below 2^30, so bytes fit in 32 bits. Rounds cover the largest multiple of `lanes`.
      const elements = [at("local.get", count)];
      draft.add(...bytes([...elements, i32(2), op("i32.shl")]), at("local.set", end));
      draft.add(
        ...bytes([...elements, i32(-lanes), op("i32.and"), i32(2), op("i32.shl")]),
        at("local.set", roundsEnd),
      );
    },
    // The same pointers serve all vectors of a round: their distance is an immediate of the load.
    rounds(step) {
      draft.while(first, roundsEnd, () => {
        for (let offset = 0; offset < roundBytes; offset += vectorBytes) step(offset);
        advance(roundBytes);
      });
    },
    rest(step) {
      draft.while(first, end, () => {
        step();
        advance(elementBytes);
      });
    },
  };
}

/** A local for each node and width. What is the same for all elements is spread over a vector once, here. */
function createNodes(
  draft: Draft,
  values: readonly Expression[],
  pointer: (array: string) => number,
): Pick<Walk, "compute" | "push"> {
  const all = inOrder(values);
  const locals = { f32: new Map<Expression, number>(), v128: new Map<Expression, number>() };
  const isFixed = ({ type }: Expression): boolean => type === "constant" || type === "scalar";
  // What differs from element to element never gets here: that would be a mistake of this file.
  const fixed = (node: Expression): Instruction => {
    if (node.type === "constant") return f32(node.value);
    if (node.type === "scalar") return at("local.get", draft.of(node.name));
    throw new RangeError(`a ${node.type} differs from element to element`);
  };
  // Locals are used again for every vector of a round: the compiler of the engine renames them.
  for (const node of all) {
    locals.v128.set(node, draft.local("v128"));
    if (isFixed(node))
      draft.add(fixed(node), op("f32x4.splat"), at("local.set", locals.v128.get(node) ?? -1));
    else locals.f32.set(node, draft.local("f32"));
  }
  const push = (node: Expression, width: Width): void =>
    draft.add(
      width === one && isFixed(node) ? fixed(node) : at("local.get", locals[width.type].get(node) ?? -1),
    );
  const compute: Walk["compute"] = (roots, width, offset) => {
    for (const node of inOrder(roots)) {
      if (isFixed(node)) continue;
      computeNode(draft, node, width, { offset, pointer, push });
      draft.add(at("local.set", locals[width.type].get(node) ?? -1));
    }
  };
  return { compute, push };
}

/** Where a node is computed: how far from the pointers, and how its operands get onto the stack. */
interface Place {
  readonly offset: number;
  readonly pointer: (array: string) => number;
  readonly push: (node: Expression, width: Width) => void;
}

/** Leaves the value of a node on the stack; those that it needs are in their locals. */
function computeNode(draft: Draft, node: Expression, width: Width, { offset, pointer, push }: Place): void {
  const name = (suffix: string): PlainName => `${width.prefix}.${suffix}` as PlainName;
  switch (node.type) {
    case "element":
      draft.add(at("local.get", pointer(node.array)), access(`${width.type}.load`, offset));
      return;
    case "unary":
      push(node.of, width);
      draft.add(op(name(node.operator)));
      return;
    case "binary":
      push(node.left, width);
      push(node.right, width);
      draft.add(op(name(node.operator)));
      return;
    case "select":
      for (const operand of [node.yes, node.no, node.left, node.right]) push(operand, width);
      draft.add(op(name(node.comparison)), op(width === one ? "select" : "v128.bitselect"));
      return;
    case "constant":
    case "scalar":
      throw new RangeError(`a ${node.type} is not computed`);
  }
}
