export type { AppendOutcome } from "./ack.ts";
export { type Appends, type Commit, openCommit } from "./commit.ts";
export { type AppendDone, type AppendRequest, ackTimeoutMs } from "./pipeline.ts";
