// One session on this node: its lane, and what the host keeps beside it.
import type { Agent } from "@voda/proto/api";
import type { DeviceShare } from "@voda/proto/grant";
import type { SessionName, SessionToken } from "@voda/proto/session";
import type { laneSubjects } from "@voda/proto/wire";
import type { Failure } from "../call/index.ts";
import type { Lane, LaneEvent, LaneTimer } from "../lane/index.ts";
import type { WorkerHandle } from "../threads/index.ts";

export interface Hosted {
  readonly token: SessionToken;
  readonly name: SessionName;
  /** As it was when the session was opened last: what it takes of the node is given back the same. */
  agent: Agent;
  /** What the grant of a call that waits for it, or has opened it, gives of the node's GPUs. */
  granted: readonly DeviceShare[] | undefined;
  /** What it holds of them while it is open. */
  devices: readonly DeviceShare[];
  readonly lane: Lane;
  /** Where its activation runs; it takes its part of the node while there is one. */
  worker: WorkerHandle | undefined;
  /** Why its activation cannot be opened: told to the lane when it has said all that it wants done. */
  refused: { readonly activation: number; readonly failure: Failure } | undefined;
  /** Of the durable claim; 0 while there is none. */
  epoch: number;
  /** Pages of a snapshot that is on its way from the worker. */
  cutPages: Uint8Array[];
  /** Calls that the lane has not answered. */
  calls: number;
  /** Monotonic time of the last call's arrival or answer. */
  usedMs: number;
  /** Monotonic time at which each timer is due. */
  readonly timers: Map<LaneTimer, number>;
  /** Who waits for the session to be out of memory. */
  readonly onCold: (() => void)[];
  /** The birth id in tokens for reading one's writes, as text. */
  life: { readonly uid: Uint8Array; readonly text: string } | undefined;
  readonly subjects: ReturnType<typeof laneSubjects>;
  /** Lets its lane know what happened. */
  readonly tell: (event: LaneEvent) => void;
}
