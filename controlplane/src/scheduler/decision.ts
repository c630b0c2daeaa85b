// What the scheduler decided about a session, as it is told to people later.
import type { SessionName, SessionToken } from "@voda/proto/session";
import type { DirectoryNode } from "../directory/directory.ts";
import type { DeviceShare, PoolRefusal, Reasons } from "../placement/index.ts";

/** Where a session goes, what it gets there, and what was found on the way: nobody looks for it again. */
export interface Plan {
  readonly type: "plan";
  readonly name: SessionName;
  readonly session: SessionToken;
  readonly node: DirectoryNode;
  readonly devices: readonly DeviceShare[];
  readonly agentRevision: string;
}

/** One decision as it was made: nothing of it changes when nodes come or go. */
export interface Decision extends Reasons {
  readonly name: SessionName;
  /** For people: milliseconds since 1970. */
  readonly decidedMs: number;
  /** Monotonic: how long ago it was. */
  readonly decidedAtMs: number;
  readonly outcome: Plan | PoolRefusal;
  readonly policy: string;
  /** Nodes there were. */
  readonly nodes: number;
}
