// WebAssembly gives the same bits as the JavaScript of the same kernel, for any expression, any length and
// any numbers.
import assert from "node:assert/strict";
import { test } from "node:test";
import { unreachable } from "@voda/stdx";
import { MemoryPool } from "@voda/stdx/memory";
import {
  type Arbitrary,
  assert as check,
  constant,
  constantFrom,
  float,
  integer,
  letrec,
  oneof,
  property,
  record,
  tuple,
} from "fast-check";
import { openCpuDevice } from "./cpu.ts";
import { indexed, map, product, reduce, rows, scan } from "./define.ts";
import { compileJs } from "./emit-js.ts";
import { type Expression, select } from "./expression.ts";
import { type Kernel, sizesOf } from "./kernel.ts";

const arrays = ["x", "y"] as const;
const scalars = ["a"] as const;

const { node } = letrec<{ node: Expression; leaf: Expression }>((tie) => ({
  leaf: oneof(
    constantFrom<Expression>(
      { type: "element", array: "x" },
      { type: "element", array: "y" },
      { type: "scalar", name: "a" },
    ),
    float({ noNaN: true }).map((value): Expression => ({ type: "constant", value })),
  ),
  node: oneof(
    { depthSize: "small" },
    tie("leaf"),
    record({
      type: constant("unary" as const),
      operator: constantFrom("neg" as const, "abs" as const, "sqrt" as const),
      of: tie("node"),
    }),
    record({
      type: constant("binary" as const),
      operator: constantFrom(
        "add" as const,
        "sub" as const,
        "mul" as const,
        "div" as const,
        "min" as const,
        "max" as const,
      ),
      left: tie("node"),
      right: tie("node"),
    }),
    tuple(
      tie("node"),
      constantFrom("lt" as const, "le" as const, "eq" as const),
      tie("node"),
      tie("node"),
      tie("node"),
    ).map(([left, comparison, right, yes, no]) => select([left, comparison, right], yes, no)),
  ),
}));

const reduction = constantFrom("sum" as const, "min" as const, "max" as const);
const kernel: Arbitrary<Kernel> = oneof(
  tuple(node, node).map(([x, y]) => map("k", { arrays, scalars }, () => ({ x, y }))),
  tuple(node, reduction).map(([value, how]) => reduce("k", { arrays, scalars, reduction: how }, () => value)),
  tuple(node, reduction).map(([value, how]) =>
    rows("k", { matrices: ["x"], vectors: ["y"], scalars, output: "out", reduction: how }, () => value),
  ),
  tuple(node, reduction).map(([value, how]) =>
    scan("k", { arrays, scalars, output: "out", reduction: how }, () => value),
  ),
  tuple(node, node).map(([x, y]) =>
    indexed("k", { arrays: ["x"], tables: ["y"], index: "at", scalars }, () => ({ x, y })),
  ),
  constant(product("k", { left: "x", right: "y", output: "out" })),
);

/** Which bits a NaN has is left open by every standard; that it is one is not. */
const bits = (values: Float32Array): Int32Array =>
  new Int32Array(values.map((value) => (Number.isNaN(value) ? Number.NaN : value)).buffer);

const counts = record({
  n: integer({ min: 0, max: 70 }),
  rows: integer({ min: 0, max: 9 }),
  depth: integer({ min: 0, max: 6 }),
  entries: integer({ min: 1, max: 12 }),
});
type Counts = typeof counts extends Arbitrary<infer T> ? T : never;

test("WebAssembly and JavaScript give the same bits", () => {
  const pool = new MemoryPool({ bytesMax: 8 * 1024 ** 2, blocksMax: 64 });
  const device = openCpuDevice(pool.holder);
  check(
    property(kernel, counts, float(), integer(), (given, sizes, a, seed) => {
      const reference = given.arrays.map((name, i) => argumentOf(given, name, sizes, seed + i));
      const handles = reference.map((values) => pool.alloc(4 * Math.max(1, values.length)));
      for (const [i, handle] of handles.entries()) pool.holder.i32(handle).set(bitsOf(reference[i]));
      const named = Object.fromEntries(given.arrays.map((name, i) => [name, handles[i] ?? 0]));
      const got = device.run(given, { ...named, a }, sizes);
      const scalarsOf = given.scalars.length === 0 ? [] : [a];
      const want = compileJs(given)(
        ...reference,
        ...scalarsOf,
        ...sizesOf[given.type].map((size) => sizes[size]),
      );
      const results = handles.map((handle, i) =>
        bits(pool.holder.f32(handle).slice(0, reference[i]?.length)),
      );
      for (const handle of handles) pool.holder.release(handle);
      assert.deepEqual(bits(Float32Array.of(got)), bits(Float32Array.of(want)));
      assert.deepEqual(
        results,
        reference.map((values) => bits(new Float32Array(values.buffer))),
      );
    }),
    { numRuns: 600 },
  );
});

const bitsOf = (values: Float32Array | Int32Array | undefined): Int32Array =>
  new Int32Array(values?.buffer ?? new ArrayBuffer(0));

function argumentOf(given: Kernel, array: string, sizes: Counts, seed: number): Float32Array | Int32Array {
  const length = lengthOf(given, array, sizes);
  if (given.type !== "indexed" || array !== given.index) return fill(new Float32Array(length), seed);
  return Int32Array.from({ length }, (_, i) => (Math.imul(seed + i, 40_503) >>> 4) % sizes.entries);
}

function lengthOf(given: Kernel, array: string, { n, rows: rowCount, depth, entries }: Counts): number {
  switch (given.type) {
    case "rows":
      if (array === given.output) return rowCount;
      return given.matrices.includes(array) ? n * rowCount : n;
    case "indexed":
      return given.tables.includes(array) ? entries : n;
    case "product":
      if (array === given.output) return rowCount * n;
      return depth * (array === given.left ? rowCount : n);
    case "map":
    case "reduce":
    case "scan":
      return n;
    default:
      return unreachable(given);
  }
}

/** Numbers of all sizes; for every fourth seed zeros of both signs, infinities and NaN among them. */
function fill(values: Float32Array, seed: number): Float32Array {
  const strange = [0, -0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, 1e-45, 3.4e38];
  const strangeBelow = seed % 4 === 0 ? 20 : 0;
  let state = seed >>> 0;
  for (let i = 0; i < values.length; i += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const pick = state >>> 24;
    const ordinary = ((state & 0xffff) - 32_768) * 2 ** ((pick % 12) - 20);
    values[i] = pick < strangeBelow ? (strange[pick % strange.length] ?? 0) : ordinary;
  }
  return values;
}
