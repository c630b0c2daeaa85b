export type { AppendOutcome } from "./ack.ts";
export {
  type AppendDone,
  type AppendRequest,
  type Appends,
  ackTimeoutMs,
  type Commit,
  openCommit,
} from "./commit.ts";
