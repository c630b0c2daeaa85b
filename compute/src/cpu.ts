// The device that is always there: kernels as WebAssembly over a pool's memory, on the thread that asks.
import type { Holder } from "@voda/stdx/memory";
import { type Arguments, bind, type Extent } from "./bind.ts";
import { emitWasm } from "./emit-wasm.ts";
import type { Kernel } from "./kernel.ts";
import { encodeModule } from "./wasm/module.ts";

/** Runs kernels on the calling thread. */
export interface CpuDevice {
  /**
   * Runs the kernel to its end; a reduction gives its value, others 0. Compiled at the first run (about a
   * millisecond).
   * @throws ComputeError `bad_argument`, MemoryError `stale_handle`
   */
  run(kernel: Kernel, given: Arguments, extent: Extent): number;
}

/** A kernel that takes what `bind` gives. */
export type Compiled = (...args: readonly number[]) => number | undefined;

/** @param holder of the thread that runs: its blocks are what kernels may touch */
export function openCpuDevice(holder: Holder): CpuDevice {
  const compiled = new WeakMap<Kernel, Compiled>();
  const compile = (kernel: Kernel): Compiled => {
    const run = link(compileWasm(kernel), kernel.name, holder.memory);
    compiled.set(kernel, run);
    return run;
  };
  return {
    run(kernel, given, extent) {
      const run = compiled.get(kernel) ?? compile(kernel);
      return run(...bind(holder, kernel, given, extent)) ?? 0;
    },
  };
}

/** A module of one kernel, which any thread may `link`. */
export const compileWasm = (kernel: Kernel): WebAssembly.Module =>
  new WebAssembly.Module(encodeModule([emitWasm(kernel)]));

/** The kernel of a module over this memory. */
export function link(module: WebAssembly.Module, name: string, memory: WebAssembly.Memory): Compiled {
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  return exports[name] as Compiled;
}
