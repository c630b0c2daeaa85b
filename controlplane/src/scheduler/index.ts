export { type CallerRefusal, callerRefusal } from "./caller-refusal.ts";
export type { Decision, Plan } from "./decision.ts";
export { type PickContext, type Picked, type PickedMember, pick, pickAll } from "./pick.ts";
export { RoomMaker } from "./room-maker.ts";
export { type Counters, type Refused, refusedRetryMs, Scheduler } from "./scheduler.ts";
export { restingSleeper } from "./sleep-resting.ts";
