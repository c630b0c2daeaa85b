export { letterQueueMs, retryAfterMs, tombstoneMs } from "./constants.ts";
export { type FoldBounds, foldBoundsOf } from "./fold.ts";
export { isDueSoon, isIdle, type Lane, type LaneOptions, openLane } from "./lane.ts";
export { feedLane } from "./pass.ts";
export { decodeRecord, type LaneRecord } from "./record.ts";
export type * from "./types.ts";
export { type LaneWaits, waitsOf } from "./waits.ts";
