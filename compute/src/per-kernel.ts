// What is made of a kernel at its first need, and kept for as long as the kernel is.
import type { Kernel } from "./kernel.ts";

/** `make`, called once for each kernel. */
export function perKernel<T>(make: (kernel: Kernel) => T): (kernel: Kernel) => T {
  const made = new WeakMap<Kernel, T>();
  return (kernel) => {
    const known = made.get(kernel);
    if (known !== undefined) return known;
    const one = make(kernel);
    made.set(kernel, one);
    return one;
  };
}
