// For those who run kernels.
export { type Batch, Batches, type BatchesOptions } from "./batches.ts";
export type { Arguments, Extent } from "./bind.ts";
export { openCpuDevice } from "./cpu.ts";
// For those who write them.
export { indexed, map, product, reduce, rows, scan } from "./define.ts";
export type { Device } from "./device.ts";
export { cpuProfiles, type DispatchedDevice, Dispatcher } from "./dispatcher.ts";
// For tools: the text of a kernel on each device.
export { emitJs } from "./emit-js.ts";
export { emitWasm } from "./emit-wasm.ts";
export { ComputeError, type ComputeErrorCode } from "./errors.ts";
export * from "./expression.ts";
export { openJsDevice } from "./js-device.ts";
export type { Kernel } from "./kernel.ts";
export * as library from "./library.ts";
export { type GraphTask, type Shares, Team } from "./team/team.ts";
