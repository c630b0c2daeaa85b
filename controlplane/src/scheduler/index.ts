export type { Decision, Plan } from "./decision.ts";
export { RoomMaker } from "./room-maker.ts";
export { type Counters, type Refused, refusedRetryMs, Scheduler } from "./scheduler.ts";
