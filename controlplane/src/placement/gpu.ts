// Fitting GPU requests onto the devices of one node.
import { assert } from "@voda/stdx";
import type { DeviceShare, Gpu, GpuDevice, GpuRequest, GpuState } from "./resources.ts";
import { gpuMilliWhole } from "./resources.ts";

/**
 * The share of one device that a fraction takes: what the request does not name follows from what it names, rounded up.
 * So a fraction without memory takes its part of the memory, never the whole card's.
 */
export function shareOf(device: GpuDevice, request: { readonly milli: number; readonly memoryMib: number }): DeviceShare {
  const milli = request.milli > 0 ? request.milli : Math.ceil((request.memoryMib * gpuMilliWhole) / device.memoryMib);
  const memoryMib = request.memoryMib > 0 ? request.memoryMib : Math.ceil((request.milli * device.memoryMib) / gpuMilliWhole);
  return { uuid: device.uuid, whole: false, milli, memoryMib };
}

/** Thousandths that a new fraction could still get. */
export function freeMilli(gpu: Gpu): number {
  if (gpu.state.mode === "whole") return 0;
  return gpu.state.mode === "idle" ? gpuMilliWhole : gpuMilliWhole - gpu.state.milli;
}

export function freeMemoryMib(gpu: Gpu): number {
  if (gpu.state.mode === "whole") return 0;
  return gpu.device.memoryMib - (gpu.state.mode === "shared" ? gpu.state.memoryMib : 0);
}

/** The devices for a request, tightest first; `undefined` when it does not fit. */
export function fitGpus(gpus: readonly Gpu[], request: GpuRequest): readonly DeviceShare[] | undefined {
  if (request.kind === "none") return [];
  return request.kind === "whole" ? fitWhole(gpus, request.count, request.memoryMib) : fitFraction(gpus, request);
}

/** Empty devices that are large enough, the smallest of them first. */
function fitWhole(gpus: readonly Gpu[], count: number, memoryMib: number): readonly DeviceShare[] | undefined {
  const fitting = gpus.filter((gpu) => gpu.state.mode === "idle" && gpu.device.memoryMib >= memoryMib);
  if (fitting.length < count) return undefined;
  return fitting
    .toSorted((a, b) => a.device.memoryMib - b.device.memoryMib)
    .slice(0, count)
    .map(({ device }) => ({ uuid: device.uuid, whole: true, milli: gpuMilliWhole, memoryMib: device.memoryMib }));
}

/** The device with the least left afterwards, so that empty ones stay empty for whole requests. */
function fitFraction(gpus: readonly Gpu[], request: { milli: number; memoryMib: number }): readonly DeviceShare[] | undefined {
  let best: DeviceShare | undefined;
  let bestLeft = Number.POSITIVE_INFINITY;
  for (const gpu of gpus) {
    const share = shareOf(gpu.device, request);
    if (!fitsShare(gpu, share)) continue;
    const left = freeMilli(gpu) - share.milli;
    if (left < bestLeft) [best, bestLeft] = [share, left];
  }
  return best === undefined ? undefined : [best];
}

function fitsShare(gpu: Gpu, share: DeviceShare): boolean {
  return share.milli <= freeMilli(gpu) && share.memoryMib <= freeMemoryMib(gpu);
}

/** @throws AssertionError when the share does not fit: whoever calls has asked `fitGpus` on this very state. */
export function takeShare(gpu: Gpu, share: DeviceShare): GpuState {
  if (share.whole) {
    assert(gpu.state.mode === "idle", `GPU ${gpu.device.uuid} is ${gpu.state.mode}, not idle`);
    return { mode: "whole" };
  }
  assert(fitsShare(gpu, share), `GPU ${gpu.device.uuid} has no room for ${share.milli} milli and ${share.memoryMib} MiB`);
  const used = gpu.state.mode === "shared" ? gpu.state : { milli: 0, memoryMib: 0, sessions: 0 };
  return {
    mode: "shared",
    milli: used.milli + share.milli,
    memoryMib: used.memoryMib + share.memoryMib,
    sessions: used.sessions + 1,
  };
}

/** The reverse of `takeShare`; the last share leaves the device idle. */
export function giveShare(gpu: Gpu, share: DeviceShare): GpuState {
  const { state } = gpu;
  if (share.whole) {
    assert(state.mode === "whole", `GPU ${gpu.device.uuid} is ${state.mode}, not whole`);
    return { mode: "idle" };
  }
  assert(state.mode === "shared", `GPU ${gpu.device.uuid} is ${state.mode}, not shared`);
  if (state.sessions === 1) return { mode: "idle" };
  const { milli, memoryMib, sessions } = state;
  return { mode: "shared", milli: milli - share.milli, memoryMib: memoryMib - share.memoryMib, sessions: sessions - 1 };
}
