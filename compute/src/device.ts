// What runs kernels, whatever it is made of.
import type { Arguments, Extent } from "./bind.ts";
import type { Kernel } from "./kernel.ts";

/** Runs kernels on the calling thread's behalf. All devices give the same bits. */
export interface Device {
  /** Compiles the kernel, unless it has been (about a millisecond); a run does so when it must. */
  prepare(kernel: Kernel): void;
  /**
   * Runs the kernel to its end; a reduction gives its value, others 0.
   * @throws ComputeError `bad_argument`, MemoryError `stale_handle`
   */
  run(kernel: Kernel, given: Arguments, extent: Extent): number;
}
