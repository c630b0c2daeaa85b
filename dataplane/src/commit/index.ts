export type { AppendOutcome } from "./ack.ts";
export {
  type Append,
  type AppendDone,
  ackTimeoutMs,
  type Commit,
  openCommit,
} from "./commit.ts";
