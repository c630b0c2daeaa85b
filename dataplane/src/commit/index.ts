export type { AppendOutcome } from "./ack.ts";
export {
  type AppendDone,
  type AppendRequest,
  ackTimeoutMs,
  type Commit,
  openCommit,
} from "./commit.ts";
