// What sessions ask for and what nodes have: plain immutable data.
import type { SessionToken } from "@voda/proto/session";

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

export interface PlacementRequest {
  readonly session: SessionToken;
  readonly namespace: string;
  readonly resources: Resources;
}

export interface GpuDevice {
  readonly uuid: string;
  readonly model: string;
  readonly memoryMib: number;
}

/** A whole GPU is never shared and a shared one never given out whole. */
export type GpuState =
  | { readonly mode: "idle" }
  | { readonly mode: "whole" }
  | { readonly mode: "shared"; readonly milli: number; readonly memoryMib: number; readonly sessions: number };

export interface Gpu {
  readonly device: GpuDevice;
  readonly state: GpuState;
}

export interface NodeSnapshot {
  readonly id: string;
  /** Whether it may get sessions now. */
  readonly ready: boolean;
  readonly capacity: { readonly cpuMilli: number; readonly memoryMib: number };
  readonly allocated: { readonly cpuMilli: number; readonly memoryMib: number };
  readonly sessions: number;
  readonly gpus: readonly Gpu[];
}

export interface Snapshot {
  readonly nodes: readonly NodeSnapshot[];
}

/** A share of one device, or all of it. */
export interface DeviceShare {
  readonly uuid: string;
  readonly whole: boolean;
  readonly milli: number;
  readonly memoryMib: number;
}

/** What one session takes of its node: exactly what is given back later. */
export interface Allocation {
  readonly cpuMilli: number;
  readonly memoryMib: number;
  readonly devices: readonly DeviceShare[];
}

export interface Plan {
  readonly kind: "plan";
  readonly node: string;
  readonly allocation: Allocation;
}

export type Constraint = "not_ready" | "cpu" | "memory" | "gpu_count" | "gpu_milli" | "gpu_memory";

export interface NearestMiss {
  readonly node: string;
  readonly constraint: Constraint;
  readonly wanted: number;
  readonly free: number;
}

export interface Refusal {
  readonly kind: "refusal";
  readonly nodes: number;
  /** How many nodes failed each constraint; a node counts at the first one that it fails. */
  readonly failed: Readonly<Record<Constraint, number>>;
  /** The ready node that came closest; absent when no node is ready. */
  readonly nearest: NearestMiss | undefined;
}

/**
 * Memory counted for a session that names none: 64 KiB, a sixteenth of a MiB and exact in binary. It lets the load of
 * nodes differ by their sessions, and a node of 8 GiB still takes 131,072 of them.
 */
export const defaultMemoryMib = 1 / 16;

export const gpuMilliWhole = 1000;

/** Reads the two numbers of a definition: a fraction, a count of whole GPUs, or memory alone. */
export function gpuRequest(gpuMilli: number, gpuMemoryMib: number): GpuRequest {
  if (gpuMilli === 0 && gpuMemoryMib === 0) return { kind: "none" };
  if (gpuMilli >= gpuMilliWhole) return { kind: "whole", count: gpuMilli / gpuMilliWhole, memoryMib: gpuMemoryMib };
  return { kind: "fraction", milli: gpuMilli, memoryMib: gpuMemoryMib };
}
