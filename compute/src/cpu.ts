// The device that is always there: kernels as WebAssembly over a pool's memory, on the thread that asks.
import type { Holder } from "@voda/stdx/memory";
import { bind } from "./bind.ts";
import type { Device } from "./device.ts";
import { emitWasm } from "./emit-wasm.ts";
import type { Kernel } from "./kernel.ts";
import { perKernel } from "./per-kernel.ts";
import { encodeModule } from "./wasm/module.ts";

/** A kernel that takes what `bind` gives. */
export type Compiled = (...args: readonly number[]) => number | undefined;

/** @param holder of the thread that runs: its blocks are what kernels may touch */
export function openCpuDevice(holder: Holder): Device {
  const prepare = perKernel((kernel) => link(compileWasm(kernel), kernel.name, holder.memory));
  return {
    prepare,
    run(kernel, given, extent) {
      const run = prepare(kernel);
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
