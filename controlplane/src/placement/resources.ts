// What sessions ask for and what nodes have: plain immutable data.
/** GPUs of a request. A fraction names thousandths of one device, or its memory, or both. */
export type GpuRequest =
  | { readonly kind: "none" }
  | { readonly kind: "whole"; readonly count: number; readonly memoryMib: number }
  | { readonly kind: "fraction"; readonly milli: number; readonly memoryMib: number };

/** 0 means "not named". */
export interface Resources {
  readonly cpuMilli: number;
  readonly memoryMib: number;
  readonly gpu: GpuRequest;
}

export interface GpuDevice {
  readonly uuid: string;
  readonly model: string;
  readonly memoryMib: number;
}

/** A share of one device, or all of it. */
export interface DeviceShare {
  readonly uuid: string;
  readonly whole: boolean;
  readonly milli: number;
  readonly memoryMib: number;
}

/**
 * Memory counted for a session that names none: 64 KiB, a sixteenth of a MiB and exact in binary. It lets the load of
 * nodes differ by their sessions, and a node of 8 GiB still takes 131,072 of them.
 */
export const defaultMemoryMib = 1 / 16;

export const gpuMilliWhole = 1000;

/** What is wrong with the resources of a definition, or `undefined`. */
export function resourcesProblem(resources: {
  readonly cpuMilli: number;
  readonly memoryMib: number;
  readonly gpuMilli: number;
  readonly gpuMemoryMib: number;
}): string | undefined {
  for (const [what, amount] of Object.entries(resources)) {
    if (typeof amount === "number" && (!Number.isInteger(amount) || amount < 0)) return `${what} ${amount} is not 0, 1, 2, ...`;
  }
  const { gpuMilli } = resources;
  if (gpuMilli > gpuMilliWhole && gpuMilli % gpuMilliWhole !== 0) {
    return `gpuMilli ${gpuMilli} is neither a fraction of one GPU (below ${gpuMilliWhole}) nor whole GPUs (a multiple of ${gpuMilliWhole})`;
  }
  return undefined;
}

/** Reads the two numbers of a definition: a fraction, a count of whole GPUs, or memory alone. */
export function gpuRequest(gpuMilli: number, gpuMemoryMib: number): GpuRequest {
  if (gpuMilli === 0 && gpuMemoryMib === 0) return { kind: "none" };
  if (gpuMilli >= gpuMilliWhole) return { kind: "whole", count: gpuMilli / gpuMilliWhole, memoryMib: gpuMemoryMib };
  return { kind: "fraction", milli: gpuMilli, memoryMib: gpuMemoryMib };
}
