// Kernels as plain JavaScript over a pool's memory: the reference, and the fastest for a handful of elements.
import type { Handle, Holder } from "@voda/stdx/memory";
import { bind } from "./bind.ts";
import type { Device } from "./device.ts";
import { compileJs } from "./emit-js.ts";
import type { Kernel } from "./kernel.ts";
import { perKernel } from "./per-kernel.ts";

/** @param holder of the thread that runs: its blocks are what kernels may touch */
export function openJsDevice(holder: Holder): Device {
  const prepare = perKernel(compileJs);
  return {
    prepare,
    run(kernel, given, extent) {
      const run = prepare(kernel);
      const numbers = bind(holder, kernel, given, extent);
      const views = kernel.arrays.map((array) => {
        const handle = given[array] as Handle; // `bind` has found them all
        return isIndex(kernel, array) ? holder.i32(handle) : holder.f32(handle);
      });
      return run(...views, ...numbers.slice(views.length));
    },
  };
}

const isIndex = (kernel: Kernel, array: string): boolean =>
  kernel.type === "indexed" && kernel.index === array;
