// Several devices as one: each run goes to the one that should be fastest for its kernel and size.
import type { Arguments, Extent } from "./bind.ts";
import { CostModel, type DeviceProfile, elementsOf, nodesOf } from "./cost.ts";
import type { Device } from "./device.ts";
import type { Kernel } from "./kernel.ts";
import { perKernel } from "./per-kernel.ts";

/** A device, and what is known of it before it has run anything. */
export interface DispatchedDevice extends DeviceProfile {
  readonly device: Device;
}

/** What the CPU does, of this day's machines: right within some factor, which is enough to begin with. */
export const cpuProfiles = {
  wasm: { launchUs: 0.2, nodesPerUs: 20_000 },
  js: { launchUs: 0.1, nodesPerUs: 2_000 },
} as const satisfies Record<string, DeviceProfile>;

/** Learns from every run; what it chooses changes how long a run takes, never what it gives. */
export class Dispatcher implements Device {
  readonly #devices: readonly DispatchedDevice[];
  readonly #modelOf = perKernel((kernel) => this.#open(kernel));

  constructor(devices: readonly DispatchedDevice[]) {
    this.#devices = devices;
  }

  prepare(kernel: Kernel): void {
    for (const { device } of this.#devices) device.prepare(kernel);
  }

  run(kernel: Kernel, given: Arguments, extent: Extent): number {
    const model = this.#modelOf(kernel);
    const elements = elementsOf(kernel, extent);
    const chosen = model.choose(elements);
    const device = this.#devices[chosen]?.device;
    if (device === undefined) throw new RangeError(`no device ${chosen}`);
    const startMs = performance.now();
    const value = device.run(kernel, given, extent);
    model.observe(chosen, elements, 1_000 * (performance.now() - startMs));
    return value;
  }

  /** All devices compile the kernel before the first run: that is no part of what a run takes. */
  #open(kernel: Kernel): CostModel {
    this.prepare(kernel);
    return new CostModel(this.#devices, nodesOf(kernel));
  }
}
