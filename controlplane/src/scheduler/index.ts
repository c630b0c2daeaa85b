export type { Decision, Plan } from "./decision.ts";
export { type Counters, Scheduler } from "./scheduler.ts";
