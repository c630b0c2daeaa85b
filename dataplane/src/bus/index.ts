export {
  type Bus,
  type BusOptions,
  type BusReply,
  type Outcome,
  openBus,
  type PeerName,
  peerCallsMax,
} from "./bus.ts";
export type { AnswerMeta } from "./message.ts";
