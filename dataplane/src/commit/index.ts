export type { AppendOutcome } from "./ack.ts";
export {
  type Append,
  type AppendDone,
  appendTimeoutMs,
  type Commit,
  openCommit,
} from "./commit.ts";
