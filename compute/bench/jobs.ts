// The jobs of `voda bench compute`: each against its controls, in one interleaved run.
import { type Handle, MemoryPool } from "@voda/stdx/memory";
import { library, openCpuDevice } from "../src/index.ts";
import { shareOut } from "./devices.ts";
import * as plain from "./plain.ts";
import { ratio, timeInTurns } from "./rounds.ts";
import { steal } from "./steal.ts";
import { switchDevices } from "./switch.ts";

/** What `--json` prints. */
export type Figures = Readonly<Record<string, unknown>>;
/** @param rounds in which all that is compared runs once */
export type BenchJob = (rounds: number) => Figures | Promise<Figures>;

const device = "cpu-wasm";
const mib = 1024 ** 2;
/** 1 MiB of parameters: in the second-level cache of this day's processors. */
const parameters = 262_144;
const side = 1024;
const productSide = 512;

const bench = () => {
  const pool = new MemoryPool({ bytesMax: 64 * mib });
  const filled = (length: number): Handle => {
    const handle = pool.alloc(4 * length);
    pool.holder.f32(handle).forEach((_, i, all) => {
      all[i] = (i % 97) / 97;
    });
    return handle;
  };
  return { pool, filled, cpu: openCpuDevice(pool.holder), view: (handle: Handle) => pool.holder.f32(handle) };
};

/** By the name that `--job` takes. */
export const jobs: Readonly<Record<string, BenchJob>> = {
  axpy(rounds) {
    const { cpu, filled, view } = bench();
    const [x, y] = [filled(parameters), filled(parameters)];
    const [from, to] = [new Float32Array(parameters).fill(1), new Float32Array(parameters)];
    const { voda, memcpy, js } = timeInTurns(
      [
        { name: "voda", run: () => void cpu.run(library.axpy, { x, y, a: 1e-9 }, { n: parameters }) },
        { name: "memcpy", run: () => to.set(from) },
        { name: "js", run: () => plain.axpy(view(x), view(y), 1e-9) },
      ],
      rounds,
    );
    return {
      device,
      parameters,
      voda,
      memcpy,
      js,
      ratio: { memcpy: ratio(voda, memcpy), js: ratio(voda, js) },
    };
  },

  gemv(rounds) {
    const { cpu, filled, view } = bench();
    const [matrix, x, y] = [filled(side * side), filled(side), filled(side)];
    const { voda, js } = timeInTurns(
      [
        { name: "voda", run: () => void cpu.run(library.gemv, { matrix, x, y }, { n: side, rows: side }) },
        { name: "js", run: () => plain.gemv(view(matrix), view(x), view(y)) },
      ],
      rounds,
    );
    return { device, side, voda, js, ratio: { js: ratio(voda, js) } };
  },

  gemm(rounds) {
    const { cpu, filled, view } = bench();
    const [a, b, c] = [filled(productSide ** 2), filled(productSide ** 2), filled(productSide ** 2)];
    const sizes = { n: productSide, rows: productSide, depth: productSide };
    const { voda, js } = timeInTurns(
      [
        { name: "voda", run: () => void cpu.run(library.gemm, { a, b, c }, sizes) },
        { name: "js", run: () => plain.gemm(view(a), view(b), view(c), productSide) },
      ],
      rounds,
    );
    const gflops = Math.round((20 * productSide ** 3) / (1000 * (voda?.p50Us ?? 0))) / 10;
    return { device, side: productSide, gflops, voda, js, ratio: { js: ratio(voda, js) } };
  },

  scatter(rounds) {
    const { pool, cpu, filled, view } = bench();
    const [x, at, table] = [filled(parameters), filled(parameters), filled(parameters)];
    const entries = pool.holder.i32(at);
    for (let i = 0; i < entries.length; i += 1) entries[i] = (Math.imul(i, 0x9e37_79b1) >>> 1) % parameters;
    const { voda, js } = timeInTurns(
      [
        {
          name: "voda",
          run: () =>
            void cpu.run(library.scatterAdd, { x, at, table }, { n: parameters, entries: parameters }),
        },
        { name: "js", run: () => plain.scatterAdd(view(x), entries, view(table)) },
      ],
      rounds,
    );
    return { device, parameters, voda, js, ratio: { js: ratio(voda, js) } };
  },

  scan(rounds) {
    const { cpu, filled, view } = bench();
    const [x, y] = [filled(parameters), filled(parameters)];
    const { voda, js } = timeInTurns(
      [
        { name: "voda", run: () => void cpu.run(library.cumsum, { x, y }, { n: parameters }) },
        { name: "js", run: () => plain.cumsum(view(x), view(y)) },
      ],
      rounds,
    );
    return { device, parameters, voda, js, ratio: { js: ratio(voda, js) } };
  },

  optimizer(rounds) {
    const { cpu, filled, view } = bench();
    const [w, g, h] = [filled(parameters), filled(parameters), filled(parameters)];
    const given = { w, g, h, rate: 1e-6, epsilon: 1e-8 };
    const { voda, js } = timeInTurns(
      [
        { name: "voda", run: () => void cpu.run(library.adagrad, given, { n: parameters }) },
        { name: "js", run: () => plain.adagrad(view(w), view(g), view(h), 1e-6) },
      ],
      rounds,
    );
    return { device, parameters, voda, js, ratio: { js: ratio(voda, js) } };
  },

  dispatch(rounds) {
    const { cpu, filled, view } = bench();
    const [x, y] = [filled(4), filled(4)];
    const { voda, js } = timeInTurns(
      [
        { name: "voda", repeat: 10_000, run: () => void cpu.run(library.axpy, { x, y, a: 1e-9 }, { n: 4 }) },
        { name: "js", repeat: 10_000, run: () => plain.axpy(view(x), view(y), 1e-9) },
      ],
      rounds,
    );
    return { device, voda, js, ratio: { js: ratio(voda, js) } };
  },

  memory(rounds) {
    const { pool } = bench();
    let sink = 0;
    const use = (view: Float32Array): void => {
      view[7] = sink;
      sink += view.length;
    };
    const { voda, array } = timeInTurns(
      [
        {
          name: "voda",
          repeat: 100_000,
          run: () => {
            const handle = pool.alloc(4096);
            use(pool.holder.f32(handle));
            pool.holder.release(handle);
          },
        },
        { name: "array", repeat: 10_000, run: () => use(new Float32Array(1024)) },
      ],
      rounds,
    );
    return { bytes: 4096, voda, array, ratio: { array: ratio(voda, array) } };
  },

  switch: switchDevices,

  devices: shareOut,

  steal,
};
