import assert from "node:assert/strict";
import { test } from "node:test";
import wabt from "wabt";
import { printModule } from "../../test/print-module.ts";
import { emitWasm } from "../emit-wasm.ts";
import * as library from "../library.ts";
import { f32, i32, op } from "./instruction.ts";
import { encodeModule, type WasmFunction } from "./module.ts";

test("the bytes of every kernel of the library are what an assembler makes of its text", async () => {
  const assembler = await wabt();
  for (const kernel of Object.values(library)) {
    const functions = [emitWasm(kernel)];
    using parsed = disposable(
      assembler.parseWat(`${kernel.name}.wat`, printModule(functions), { simd: true, threads: true }),
    );
    assert.deepEqual(encodeModule(functions), parsed.module.toBinary({}).buffer, kernel.name);
  }
});

test("constants keep their bits in the text", async () => {
  const assembler = await wabt();
  const values = [
    0,
    -0,
    1e-45,
    3.4028234663852886e38,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    Number.NaN,
  ];
  const body = [
    ...values.map((value) => [f32(value), op("drop")]),
    ...[0, -1, 63, 64, -65, 2 ** 31 - 1].map((value) => [i32(value), op("drop")]),
  ];
  const functions: readonly WasmFunction[] = [
    { name: "f", parameters: ["f32"], result: undefined, locals: ["i32"], body: body.flat() },
  ];
  using parsed = disposable(
    assembler.parseWat("f.wat", printModule(functions), { simd: true, threads: true }),
  );
  assert.deepEqual(encodeModule(functions), parsed.module.toBinary({}).buffer);
});

const disposable = (module: ReturnType<Awaited<ReturnType<typeof wabt>>["parseWat"]>) => ({
  module,
  [Symbol.dispose]: () => module.destroy(),
});
