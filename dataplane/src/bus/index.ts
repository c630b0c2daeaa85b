export {
  type AnswerMeta,
  type Bus,
  type BusOptions,
  type Outcome,
  openBus,
  peerBytesMax,
  peerCallsMax,
} from "./bus.ts";
