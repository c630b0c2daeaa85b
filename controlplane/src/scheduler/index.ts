export { type Decision, explain } from "./decision.ts";
export { type Counters, Scheduler } from "./scheduler.ts";
