export {
  isLapsed,
  isReady,
  type LeaseEffect,
  type LeaseEvent,
  type LeaseState,
  noLeases,
  type Step,
  step,
} from "./lease.ts";
