import { gpuMilliWhole } from "@voda/proto/placement";

// What sessions ask for and what nodes have: plain immutable data.
export type { DeviceShare } from "@voda/proto/grant";

/** GPUs of a request. A fraction names thousandths of one device, or its memory, or both. */
export type GpuRequest =
  | { readonly type: "none" }
  | { readonly type: "whole"; readonly count: number; readonly memoryMib: number }
  | { readonly type: "fraction"; readonly milli: number; readonly memoryMib: number };

/** 0 means "not named". */
export interface Resources {
  readonly cpuMilli: number;
  readonly memoryMib: number;
  readonly gpu: GpuRequest;
}

/** One device as its node reports it. */
export interface GpuDevice {
  readonly uuid: string;
  readonly model: string;
  readonly memoryMib: number;
}

/**
 * Memory counted for a session that names none: 64 KiB, a sixteenth of a MiB and exact in binary. It lets the
 * load of nodes differ by their sessions, and a node of 8 GiB still takes 131,072 of them.
 */
export const defaultMemoryMib = 1 / 16;

/** Reads the two numbers of a definition: a fraction, a count of whole GPUs, or memory alone. */
export function gpuRequest(gpuMilli: number, gpuMemoryMib: number): GpuRequest {
  if (gpuMilli === 0 && gpuMemoryMib === 0) return { type: "none" };
  if (gpuMilli >= gpuMilliWhole)
    return { type: "whole", count: gpuMilli / gpuMilliWhole, memoryMib: gpuMemoryMib };
  return { type: "fraction", milli: gpuMilli, memoryMib: gpuMemoryMib };
}
