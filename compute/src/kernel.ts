// What a device can be asked to run: an expression and how it walks over arrays. Checked once, when it is
// made.
import { ComputeError } from "./errors.ts";
import { type Expression, inOrder } from "./expression.ts";

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

export type Kernel = MapKernel | ReduceKernel | RowsKernel;

/**
 * A reduction keeps this many partial results: element i of the first `lanes * floor(n / lanes)` goes to
 * lane i mod `lanes`. The lanes are then joined in halves (i with i + 8, then 4, 2, 1), and the elements
 * that are left over are joined one by one, in order. Every device that does so gives the same bits.
 */
export const lanes = 16;

const wordPattern = /^[a-z][A-Za-z0-9]{0,30}$/;
/** Nodes of one kernel: each is a local of its function. */
const nodesMax = 256;

type Nodes<N extends string> = Readonly<Record<N, Expression>>;

interface Shape<A extends string, S extends string> {
  readonly arrays: readonly A[];
  readonly scalars?: readonly S[];
}

/**
 * A kernel over each index of its arrays.
 *
 * @example map("axpy", { arrays: ["x", "y"], scalars: ["a"] }, ({ x, y, a }) => ({ y: add(y, mul(a, x)) }))
 * @throws ComputeError `bad_kernel`
 */
export function map<A extends string, S extends string = never>(
  name: string,
  { arrays, scalars = [] }: Shape<A, S>,
  outputs: (nodes: Nodes<A | S>) => Partial<Nodes<A>>,
): MapKernel {
  const nodes = leaves(name, arrays, scalars);
  const all = new Map(Object.entries<Expression | undefined>(outputs(nodes)).flatMap(named));
  if (all.size === 0)
    throw new ComputeError("bad_kernel", `kernel ${name} has no output; return at least one`);
  for (const array of all.keys()) if (!isOneOf(arrays, array)) throw strange(name, "output", array, arrays);
  check(name, all.values(), arrays, scalars);
  return Object.freeze({ type: "map", name, arrays, scalars, outputs: all });
}

/** One value from all elements. @throws ComputeError `bad_kernel` */
export function reduce<A extends string, S extends string = never>(
  name: string,
  { arrays, scalars = [], reduction }: Shape<A, S> & { readonly reduction: Reduction },
  value: (nodes: Nodes<A | S>) => Expression,
): ReduceKernel {
  const root = value(leaves(name, arrays, scalars));
  check(name, [root], arrays, scalars);
  return Object.freeze({ type: "reduce", name, arrays, scalars, reduction, value: root });
}

/** One value per row of one or more matrices, row by row in memory. @throws ComputeError `bad_kernel` */
export function rows<M extends string, V extends string, S extends string = never>(
  name: string,
  shape: {
    readonly matrices: readonly M[];
    readonly vectors: readonly V[];
    readonly scalars?: readonly S[];
    readonly output: string;
    readonly reduction: Reduction;
  },
  value: (nodes: Nodes<M | V | S>) => Expression,
): RowsKernel {
  const { matrices, vectors, scalars = [], output, reduction } = shape;
  const read = [...matrices, ...vectors];
  const root = value(leaves(name, read, scalars));
  const arrays = [...read, output];
  leaves(name, arrays, scalars);
  check(name, [root], read, scalars);
  return Object.freeze({ type: "rows", name, arrays, scalars, matrices, output, reduction, value: root });
}

function leaves<A extends string, S extends string>(
  name: string,
  arrays: readonly A[],
  scalars: readonly S[],
): Nodes<A | S> {
  const words = [name, ...arrays, ...scalars];
  for (const word of words)
    if (!wordPattern.test(word))
      throw new ComputeError(
        "bad_kernel",
        `"${word}" of kernel ${name} is no name; names match ${wordPattern.source}`,
      );
  const twice = words.slice(1).find((word, i) => words.indexOf(word, i + 2) > 0);
  if (twice !== undefined)
    throw new ComputeError(
      "bad_kernel",
      `kernel ${name} has two arguments "${twice}"; give each its own name`,
    );
  const nodes: Partial<Record<A | S, Expression>> = {};
  for (const array of arrays) nodes[array] = { type: "element", array };
  for (const scalar of scalars) nodes[scalar] = { type: "scalar", name: scalar };
  return nodes as Nodes<A | S>;
}

/** Nodes may come from another kernel: what they name must be an argument of this one. */
function check(
  name: string,
  roots: Iterable<Expression>,
  arrays: readonly string[],
  scalars: readonly string[],
): void {
  const nodes = inOrder(roots);
  if (nodes.length > nodesMax)
    throw new ComputeError(
      "bad_kernel",
      `kernel ${name} has ${nodes.length} nodes, nodesMax is ${nodesMax}; split it`,
    );
  for (const node of nodes) {
    if (node.type === "element" && !arrays.includes(node.array))
      throw strange(name, "array", node.array, arrays);
    if (node.type === "scalar" && !scalars.includes(node.name))
      throw strange(name, "scalar", node.name, scalars);
  }
}

const named = ([array, node]: readonly [string, Expression | undefined]): [string, Expression][] =>
  node === undefined ? [] : [[array, node]];

const isOneOf = (list: readonly string[], word: string): boolean => list.includes(word);

function strange(name: string, what: string, word: string, known: readonly string[]): ComputeError {
  return new ComputeError(
    "bad_kernel",
    `kernel ${name} has no ${what} "${word}"; it has ${known.join(", ") || "none"}`,
  );
}
