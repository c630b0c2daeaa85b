// One session on this node: its lane, and what the host keeps beside it.
import type { Agent } from "@voda/proto/api";
import type { DeviceShare } from "@voda/proto/grant";
import type { NamedSession } from "@voda/proto/session";
import type { Lane, LaneTimer } from "../lane/index.ts";

/** Lives as long as its lane has something in memory or somebody waits. */
export interface Hosted extends NamedSession {
  /** As it was when the session was opened last. */
  agent: Agent;
  /** What the grant of a call that waits for it, or has opened it, gives of the node's GPUs. */
  granted: readonly DeviceShare[] | undefined;
  /** What it holds of them while it is open. */
  devices: readonly DeviceShare[];
  readonly lane: Lane;
  /** Number of the activation that is open in a worker; it takes its part of the node while there is one. */
  activation: number | undefined;
  /** Of the durable claim; 0 while there is none. */
  epoch: number;
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
}
