// WebAssembly gives the same bits as the JavaScript of the same kernel, for any expression, any length and
// any numbers.
import assert from "node:assert/strict";
import { test } from "node:test";
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
import { compileJs } from "./emit-js.ts";
import { type Expression, select } from "./expression.ts";
import { type Kernel, map, reduce, rows } from "./kernel.ts";

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

const kernel: Arbitrary<Kernel> = oneof(
  tuple(node, node).map(([x, y]) => map("k", { arrays, scalars }, () => ({ x, y }))),
  tuple(node, constantFrom("sum" as const, "min" as const, "max" as const)).map(([value, reduction]) =>
    reduce("k", { arrays, scalars, reduction }, () => value),
  ),
  tuple(node, constantFrom("sum" as const, "min" as const, "max" as const)).map(([value, reduction]) =>
    rows("k", { matrices: ["x"], vectors: ["y"], scalars, output: "out", reduction }, () => value),
  ),
);

/** Which bits a NaN has is left open by every standard; that it is one is not. */
const bits = (values: Float32Array): Int32Array =>
  new Int32Array(values.map((value) => (Number.isNaN(value) ? Number.NaN : value)).buffer);

test("WebAssembly and JavaScript give the same bits", () => {
  const pool = new MemoryPool({ bytesMax: 8 * 1024 ** 2, blocksMax: 64 });
  const device = openCpuDevice(pool.holder);
  const sizes = record({ n: integer({ min: 0, max: 70 }), rowCount: integer({ min: 0, max: 4 }) });
  check(
    property(kernel, sizes, float(), integer(), (given, { n, rowCount }, a, seed) => {
      const lengths = given.arrays.map((name) => lengthOf(given, name, n, rowCount));
      const handles = lengths.map((length) => pool.alloc(4 * Math.max(1, length)));
      const reference = lengths.map((length, i) => fill(new Float32Array(length), seed + i));
      for (const [i, handle] of handles.entries()) pool.holder.f32(handle).set(reference[i] ?? []);
      const named = Object.fromEntries(given.arrays.map((name, i) => [name, handles[i] ?? 0]));
      const got = device.run(given, { ...named, a }, { n, rows: rowCount });
      const counts = given.type === "rows" ? [rowCount, n] : [n];
      const want = compileJs(given)(...reference, a, ...counts);
      const results = handles.map((handle, i) => bits(pool.holder.f32(handle).slice(0, lengths[i])));
      for (const handle of handles) pool.holder.release(handle);
      assert.deepEqual(bits(Float32Array.of(got)), bits(Float32Array.of(want)));
      assert.deepEqual(results, reference.map(bits));
    }),
    { numRuns: 400 },
  );
});

function lengthOf(given: Kernel, array: string, n: number, rowCount: number): number {
  if (given.type !== "rows") return n;
  if (array === given.output) return rowCount;
  return given.matrices.includes(array) ? n * rowCount : n;
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
