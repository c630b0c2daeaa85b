// Users: where a session goes, and why not.

// Pools: books, policies and plans for many nodes.
export { BooksError } from "./books.ts";
export { type Reasons, reasonsAgainst, reasonsFor } from "./explain.ts";
export { decideGang, type GangPlan, type GangRefusal, gangMembersMax } from "./gang.ts";
// Sister rooms: what nodes say of their sessions, and what is taken of a node.
export { cutToFit, heldOn, inTheWayOf } from "./held.ts";
export {
  applyRoom,
  type Leaving,
  MoveBudget,
  planRoom,
  type RoomOptions,
  type RoomPlan,
} from "./make-room.ts";
export { type NodeSpec, nodeProblem } from "./node-spec.ts";
export type { NodeUse } from "./node-use.ts";
export { isPolicyName, policies } from "./policies.ts";
export type { KindShare, Outlook, Policy, PolicyOf } from "./policy.ts";
export { type Placed, Pool, type PoolOptions, type PoolPlan } from "./pool.ts";
export {
  describePoolRefusal,
  type PoolConstraint,
  type PoolMiss,
  type PoolRefusal,
} from "./pool-refusal.ts";
export { type Amounts, type Quota, Quotas } from "./quota.ts";
export type { PoolRequest } from "./request.ts";
export {
  type DeviceShare,
  type GpuDevice,
  type GpuRequest,
  gpuRequest,
  type Resources,
} from "./resources.ts";
export { Shadow, type ShadowCounters, shadowTimeShareMax } from "./shadow.ts";
export { Stranded } from "./stranded.ts";
