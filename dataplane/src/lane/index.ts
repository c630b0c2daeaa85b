export { tombstoneMs, trimDelayMs } from "./constants.ts";
export { createLane, isIdle, type Lane, type LaneOptions, type Phase, phaseOf } from "./lane.ts";
export { decodeRecord, type LaneRecord } from "./record.ts";
export { allRules, type Rules } from "./rules.ts";
export { step } from "./step.ts";
export type * from "./types.ts";
