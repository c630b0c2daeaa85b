import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryPool } from "@voda/stdx/memory";
import { type Arguments, bind } from "./bind.ts";
import { compileWasm, link, openCpuDevice } from "./cpu.ts";
import { map, reduce, rows } from "./define.ts";
import { compileJs, emitJs } from "./emit-js.ts";
import { add, type Expression, inOrder, mul } from "./expression.ts";
import * as library from "./library.ts";

const square = (name: string) => reduce(name, { arrays: ["x"], reduction: "sum" }, ({ x }) => mul(x, x));

/** With one node more than additions. */
const deep = (additions: number) =>
  reduce("deep", { arrays: ["x"], reduction: "sum" }, ({ x }) =>
    Array.from({ length: additions }).reduce<Expression>((sum) => add(sum, x), x),
  );

test("what is no kernel is refused with its name and what is possible", () => {
  const other: Expression = { type: "element", array: "other" };
  const cases: [() => unknown, RegExp][] = [
    [() => square("a b"), /"a b" of kernel a b is no name; names match/],
    [() => square("delete x; //"), /is no name/],
    [() => map("m", { arrays: ["x", "x"] }, ({ x }) => ({ x })), /two arguments "x"/],
    [() => map("m", { arrays: ["x"], scalars: ["x"] }, ({ x }) => ({ x })), /two arguments "x"/],
    [() => map("m", { arrays: ["x"] }, () => ({})), /kernel m has no output/],
    [
      () => map("m", { arrays: ["x"] }, ({ x }) => ({ y: x }) as object),
      /kernel m has no output "y"; it has x/,
    ],
    [() => map("m", { arrays: ["x"] }, () => ({ x: other })), /kernel m has no array "other"; it has x/],
    [
      () => reduce("r", { arrays: ["x"], reduction: "sum" }, () => ({ type: "scalar", name: "a" })),
      /kernel r has no scalar "a"; it has none/,
    ],
    [
      () => rows("r", { matrices: ["x"], vectors: [], output: "x", reduction: "sum" }, ({ x }) => x),
      /two arguments "x"/,
    ],
    [() => deep(256), /has 257 nodes, nodesMax is 256/],
  ];
  for (const [make, message] of cases) assert.throws(make, { code: "bad_kernel", message });
  deep(255);
});

test("a node that is used twice, by nodes that are, is computed once", () => {
  const x: Expression = { type: "element", array: "x" };
  const doubled = Array.from({ length: 60 }).reduce<Expression>((sum) => add(sum, sum), x);
  const nodes = inOrder([doubled]);
  assert.equal(nodes.length, 61);
  assert.deepEqual([nodes[0], nodes[60]], [x, doubled]);
});

test("a run is refused before it touches memory when its arguments do not fit", () => {
  const pool = new MemoryPool({ bytesMax: 4 * 1024 ** 2 });
  const device = openCpuDevice(pool.holder);
  const [x, y] = [pool.alloc(40), pool.alloc(36)];
  const cases: [Arguments, number, object][] = [
    [
      { x, y, a: 1 },
      10,
      { code: "bad_argument", message: /array "y" of kernel axpy has 36 bytes, 40 are needed/ },
    ],
    [{ x, a: 1 }, 1, { code: "bad_argument", message: /needs the array "y"/ }],
    [{ x, y }, 1, { code: "bad_argument", message: /needs the scalar "a"/ }],
    [{ x, y, a: 1 }, -1, { code: "bad_argument", message: /n -1 of kernel axpy is not in/ }],
    [{ x, y, a: 1 }, 2 ** 30, { code: "bad_argument", message: /n 1073741824 of kernel axpy is not in/ }],
    [{ x: 5, y, a: 1 }, 1, { code: "stale_handle" }],
  ];
  for (const [given, n, error] of cases) assert.throws(() => device.run(library.axpy, given, { n }), error);
  const matrix = pool.alloc(4 * 5);
  assert.throws(() => device.run(library.gemv, { matrix, x, y }, { n: 3, rows: 2 }), {
    code: "bad_argument",
    message: /array "matrix" of kernel gemv has 20 bytes, 24 are needed/,
  });
});

test("a run is refused that would leave its tables, or write what it still reads", () => {
  const pool = new MemoryPool({ bytesMax: 4 * 1024 ** 2 });
  const device = openCpuDevice(pool.holder);
  const [x, at, table] = [pool.alloc(12), pool.alloc(12), pool.alloc(8)];
  for (const [entry, shown] of [
    [2, "entry 2"],
    [-1, "entry -1"],
  ] as const) {
    pool.holder.i32(at).set([0, 1, entry]);
    assert.throws(() => device.run(library.scatterAdd, { x, at, table }, { n: 3, entries: 2 }), {
      code: "bad_argument",
      message: `array "at" of kernel scatterAdd names ${shown} at 2; the tables have 2 entries`,
    });
  }
  device.run(library.scatterAdd, { x, at, table }, { n: 2, entries: 2 });
  assert.throws(() => device.run(library.gemm, { a: x, b: table, c: x }, { n: 1 }), {
    code: "bad_argument",
    message: /array "c" of kernel gemm is the block of "a"/,
  });
});

test("an entry that is named twice gets both, in order", () => {
  const pool = new MemoryPool({ bytesMax: 4 * 1024 ** 2 });
  const device = openCpuDevice(pool.holder);
  const [x, at, table] = [pool.alloc(12), pool.alloc(12), pool.alloc(8)];
  pool.holder.f32(x).set([1, 2, 4]);
  pool.holder.i32(at).set([1, 0, 1]);
  pool.holder.f32(table).set([10, 20]);
  device.run(library.scatterAdd, { x, at, table }, { n: 3, entries: 2 });
  assert.deepEqual([...pool.holder.f32(table)], [12, 25]);
  device.run(library.gather, { y: x, at, table }, { n: 3, entries: 2 });
  assert.deepEqual([...pool.holder.f32(x)], [25, 12, 25]);
});

test("an index that changes while a kernel runs ends the run, and leaves other memory alone", () => {
  const pool = new MemoryPool({ bytesMax: 4 * 1024 ** 2 });
  const [x, at, table, other] = [pool.alloc(4), pool.alloc(4), pool.alloc(4), pool.alloc(4)];
  pool.holder.f32(other).fill(7);
  const { holder } = pool;
  const run = link(compileWasm(library.scatterAdd), "scatterAdd", holder.memory);
  const args = bind(holder, library.scatterAdd, { x, at, table }, { n: 1, entries: 1 });
  holder.i32(at)[0] = (holder.offset(other) - holder.offset(table)) / 4;
  assert.throws(() => run(...args), { name: "RuntimeError", message: "unreachable" });
  assert.deepEqual([...holder.f32(other)], [7]);
});

test("negative numbers, and a zero with a sign, keep it beside other signs", () => {
  for (const value of [-0, -3, 0]) {
    const constant: Expression = { type: "constant", value };
    const kernel = map("m", { arrays: ["x"] }, () => ({
      x: { type: "unary", operator: "neg", of: constant },
    }));
    const x = Float32Array.of(7);
    compileJs(kernel)(x, 1);
    assert.ok(Object.is(x[0], -value), `${x[0]}`);
  }
});

test("rows are one unless more are named", () => {
  const pool = new MemoryPool({ bytesMax: 4 * 1024 ** 2 });
  const device = openCpuDevice(pool.holder);
  const [matrix, x, y] = [pool.alloc(12), pool.alloc(12), pool.alloc(4)];
  pool.holder.f32(matrix).set([1, 2, 3]);
  pool.holder.f32(x).set([1, 10, 100]);
  device.run(library.gemv, { matrix, x, y }, { n: 3 });
  assert.deepEqual([...pool.holder.f32(y)], [321]);
});

test("the optimizers do what their papers say", () => {
  const pool = new MemoryPool({ bytesMax: 4 * 1024 ** 2 });
  const device = openCpuDevice(pool.holder);
  const block = (value: number) => {
    const handle = pool.alloc(4);
    pool.holder.f32(handle)[0] = value;
    return handle;
  };
  const [w, g, h] = [block(1), block(2), block(5)];
  device.run(library.adagrad, { w, g, h, rate: 0.3, epsilon: 0 }, { n: 1 });
  const value = (handle: Parameters<typeof pool.holder.f32>[0]): number =>
    pool.holder.f32(handle)[0] ?? Number.NaN;
  assert.deepEqual([value(h), Math.abs(value(w) - 0.8) < 1e-6], [9, true]);
  // a weight whose dual stays within l1 is exactly 0, however often it is updated
  const [z, n] = [block(0), block(0)];
  pool.holder.f32(g)[0] = 0.01;
  device.run(library.ftrl, { w, g, z, n, alpha: 0.1, beta: 1, l1: 1, l2: 0 }, { n: 1 });
  assert.equal(value(w), 0);
});

test("the text of a kernel is what a person would write", () => {
  assert.equal(
    emitJs(library.axpy),
    `function axpyKernel(xOf, yOf, aIs, n) {
  const { abs, fround, max, min, sqrt } = Math;
  aIs = fround(aIs);
  for (let i = 0; i < n; i += 1) {
    const t0 = yOf[i];
    const t2 = xOf[i];
    const t3 = fround(aIs * t2);
    const t4 = fround(t0 + t3);
    yOf[i] = t4;
  }
  return 0;
}`,
  );
});
