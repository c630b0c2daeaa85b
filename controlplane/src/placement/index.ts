// Users: where a session goes, and why not.

// Sister rooms: the books.
export { allocate, allocationOn, costOf, emptyNode, release } from "./ledger.ts";
export { describeRefusal, place } from "./place.ts";
export {
  type Allocation,
  type Constraint,
  type DeviceShare,
  defaultMemoryMib,
  type Gpu,
  type GpuDevice,
  type GpuRequest,
  gpuRequest,
  type NodeSnapshot,
  type PlacementRequest,
  type Plan,
  type Refusal,
  type Resources,
  resourcesProblem,
  type Snapshot,
} from "./resources.ts";
