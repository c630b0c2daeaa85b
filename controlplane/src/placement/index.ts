// Users: where a session goes, and why not.

// Pools: books, policies and plans for many nodes.
export { BooksError } from "./books.ts";
export { commitGang, decideGang, type GangPlan, type GangRefusal } from "./gang.ts";
export type { Isolation } from "./kind.ts";
// Sister rooms: the books.
export { allocate, allocationOn, costOf, emptyNode, release } from "./ledger.ts";
export { applyRoom, type Leaving, MoveBudget, planRoom, type RoomOptions, type RoomPlan } from "./make-room.ts";
export { type NodeSpec, nodeProblem } from "./node-spec.ts";
export { describeRefusal, place } from "./place.ts";
export { isPolicyName, type PolicyName, policies } from "./policies.ts";
export type { KindShare, Outlook, Policy, PolicyOf } from "./policy.ts";
export { type Placed, Pool, type PoolOptions, type PoolPlan } from "./pool.ts";
export { describePoolRefusal, type PoolConstraint, type PoolMiss, type PoolRefusal } from "./pool-refusal.ts";
export { type Amounts, type Quota, Quotas } from "./quota.ts";
export type { PoolRequest } from "./request.ts";
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
  type Snapshot,
} from "./resources.ts";
