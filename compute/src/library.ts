// Kernels that many need: linear algebra of vectors and matrices, and optimizers that update parameters in
// one pass.

import { indexed, map, product, reduce, rows, scan } from "./define.ts";
import { abs, add, div, type Expression, max, min, mul, neg, select, sqrt, sub } from "./expression.ts";

/** y += a * x */
export const axpy = map("axpy", { arrays: ["x", "y"], scalars: ["a"] }, ({ x, y, a }) => ({
  y: add(y, mul(a, x)),
}));

/** The sum of x * y. */
export const dot = reduce("dot", { arrays: ["x", "y"], reduction: "sum" }, ({ x, y }) => mul(x, y));

/** The sum of x. */
export const sum = reduce("sum", { arrays: ["x"], reduction: "sum" }, ({ x }) => x);

/** The largest |x|; NaN when there is one, so that a diverged model shows. */
export const maxAbs = reduce("maxAbs", { arrays: ["x"], reduction: "max" }, ({ x }) => abs(x));

/** y = A x: the matrix is row by row, `y` gets a value per row. */
export const gemv = rows(
  "gemv",
  { matrices: ["matrix"], vectors: ["x"], output: "y", reduction: "sum" },
  ({ matrix, x }) => mul(matrix, x),
);

/** C = A B: all matrices are row by row; `rows` of A and C, `depth` columns of A, `n` of B and C. */
export const gemm = product("gemm", { left: "a", right: "b", output: "c" });

/** y = the sum of x up to there. */
export const cumsum = scan("cumsum", { arrays: ["x"], output: "y", reduction: "sum" }, ({ x }) => x);

/** y = table[at]: `n` elements of a table of `entries`. */
export const gather = indexed("gather", { arrays: ["y"], tables: ["table"], index: "at" }, ({ table }) => ({
  y: table,
}));

/** table[at] += x, one after the other: an entry that is named twice gets both. */
export const scatterAdd = indexed(
  "scatterAdd",
  { arrays: ["x"], tables: ["table"], index: "at" },
  ({ x, table }) => ({ table: add(table, x) }),
);

/** w -= rate * g */
export const sgd = map("sgd", { arrays: ["w", "g"], scalars: ["rate"] }, ({ w, g, rate }) => ({
  w: sub(w, mul(rate, g)),
}));

/** v = decay * v + g; w -= rate * v (heavy ball; Polyak, 1964) */
export const momentum = map(
  "momentum",
  { arrays: ["w", "g", "v"], scalars: ["rate", "decay"] },
  ({ w, g, v, rate, decay }) => {
    const velocity = add(mul(decay, v), g);
    return { v: velocity, w: sub(w, mul(rate, velocity)) };
  },
);

/** h += g^2; w -= rate * g / (sqrt(h) + epsilon) (AdaGrad; Duchi, Hazan, Singer, 2011) */
export const adagrad = map(
  "adagrad",
  { arrays: ["w", "g", "h"], scalars: ["rate", "epsilon"] },
  ({ w, g, h, rate, epsilon }) => {
    const squares = add(h, mul(g, g));
    return { h: squares, w: sub(w, div(mul(rate, g), add(sqrt(squares), epsilon))) };
  },
);

/**
 * Adam (Kingma, Ba, 2015). `rate` holds the bias correction of the step t: rate * sqrt(1 - second^t) / (1 -
 * first^t); `firstRest` is 1 - first, `secondRest` 1 - second.
 */
export const adam = map(
  "adam",
  {
    arrays: ["w", "g", "m", "v"],
    scalars: ["rate", "first", "firstRest", "second", "secondRest", "epsilon"],
  },
  ({ w, g, m, v, rate, first, firstRest, second, secondRest, epsilon }) => {
    const mean = add(mul(first, m), mul(firstRest, g));
    const variance = add(mul(second, v), mul(secondRest, mul(g, g)));
    return { m: mean, v: variance, w: sub(w, div(mul(rate, mean), add(sqrt(variance), epsilon))) };
  },
);

/**
 * FTRL-proximal with per-coordinate rates (McMahan et al., 2013, algorithm 1): `z` and `n` are its state,
 * `w` the weights that follow from them. l1 sets weights to exactly 0.
 */
export const ftrl = map(
  "ftrl",
  { arrays: ["w", "g", "z", "n"], scalars: ["alpha", "beta", "l1", "l2"] },
  ftrlStep,
);

/** The same of the weights that `at` names: what a sparse example touches. */
export const sparseFtrl = indexed(
  "sparseFtrl",
  { arrays: ["g"], tables: ["w", "z", "n"], index: "at", scalars: ["alpha", "beta", "l1", "l2"] },
  ftrlStep,
);

type FtrlNode = "w" | "g" | "z" | "n" | "alpha" | "beta" | "l1" | "l2";
function ftrlStep({ w, g, z, n, alpha, beta, l1, l2 }: Readonly<Record<FtrlNode, Expression>>): {
  readonly n: Expression;
  readonly z: Expression;
  readonly w: Expression;
} {
  const squares = add(n, mul(g, g));
  const sigma = div(sub(sqrt(squares), sqrt(n)), alpha);
  const dual = sub(add(z, g), mul(sigma, w));
  const shrunk = sub(dual, max(neg(l1), min(l1, dual)));
  const scale = add(div(add(beta, sqrt(squares)), alpha), l2);
  return { n: squares, z: dual, w: select([abs(dual), "le", l1], 0, neg(div(shrunk, scale))) };
}
