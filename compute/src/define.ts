// Kernels are checked once, when they are made.
import { ComputeError } from "./errors.ts";
import { type Expression, inOrder } from "./expression.ts";
import type {
  IndexedKernel,
  MapKernel,
  ProductKernel,
  ReduceKernel,
  Reduction,
  RowsKernel,
  ScanKernel,
} from "./kernel.ts";

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
  const all = outputsOf(name, outputs(nodes), arrays);
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

/** The sum, minimum or maximum so far, at each index. @throws ComputeError `bad_kernel` */
export function scan<A extends string, S extends string = never>(
  name: string,
  shape: Shape<A, S> & { readonly output: string; readonly reduction: Reduction },
  value: (nodes: Nodes<A | S>) => Expression,
): ScanKernel {
  const { arrays: read, scalars = [], output, reduction } = shape;
  const root = value(leaves(name, read, scalars));
  const arrays = [...read, output];
  leaves(name, arrays, scalars);
  check(name, [root], read, scalars);
  return Object.freeze({ type: "scan", name, arrays, scalars, output, reduction, value: root });
}

/**
 * A kernel over entries that an array names: a gather when arrays get the outputs, a scatter when tables do.
 *
 * @example indexed("sparseSgd", { arrays: ["g"], tables: ["w"], index: "at", scalars: ["rate"] },
 *   ({ w, g, rate }) => ({ w: sub(w, mul(rate, g)) }))
 * @throws ComputeError `bad_kernel`
 */
export function indexed<A extends string, T extends string, S extends string = never>(
  name: string,
  shape: Shape<A, S> & { readonly tables: readonly T[]; readonly index: string },
  outputs: (nodes: Nodes<A | T | S>) => Partial<Nodes<A | T>>,
): IndexedKernel {
  const { arrays: flat, tables, index, scalars = [] } = shape;
  const read = [...flat, ...tables];
  const all = outputsOf(name, outputs(leaves(name, read, scalars)), read);
  const arrays = [...read, index];
  leaves(name, arrays, scalars);
  check(name, all.values(), read, scalars);
  return Object.freeze({ type: "indexed", name, arrays, scalars, tables, index, outputs: all });
}

/** output = left x right. @throws ComputeError `bad_kernel` */
export function product(
  name: string,
  { left, right, output }: Pick<ProductKernel, "left" | "right" | "output">,
): ProductKernel {
  const arrays = [left, right, output];
  leaves(name, arrays, []);
  return Object.freeze({ type: "product", name, arrays, scalars: [], left, right, output });
}

/** @throws ComputeError `bad_kernel` */
function outputsOf(
  name: string,
  outputs: Readonly<Record<string, Expression | undefined>>,
  arrays: readonly string[],
): ReadonlyMap<string, Expression> {
  const all = new Map(Object.entries(outputs).flatMap(named));
  if (all.size === 0)
    throw new ComputeError("bad_kernel", `kernel ${name} has no output; return at least one`);
  for (const array of all.keys()) if (!arrays.includes(array)) throw strange(name, "output", array, arrays);
  return all;
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

function strange(name: string, what: string, word: string, known: readonly string[]): ComputeError {
  return new ComputeError(
    "bad_kernel",
    `kernel ${name} has no ${what} "${word}"; it has ${known.join(", ") || "none"}`,
  );
}
