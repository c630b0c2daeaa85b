// What a refusal of the placement is to a caller.
import { describePoolRefusal, type PoolRefusal } from "../placement/index.ts";

/** A refusal in the words of the API: it has one of the reasons that clients know. */
export interface CallerRefusal {
  readonly reason: "no_capacity" | "namespace_quota" | "closed";
  readonly message: string;
  /** Room comes by itself when sessions fall asleep; a quota is left to people. */
  readonly retryAfterMs: number | undefined;
}

/**
 * `retryAfterMs` holds for lack of room and of nodes: nobody knows when a quota is raised. Without a node
 * nothing is exhausted: the one that a supervisor starts again takes the call.
 */
export function callerRefusal(refusal: PoolRefusal, retryAfterMs: number): CallerRefusal {
  if ("nodes" in refusal && refusal.nodes === 0)
    return { reason: "closed", message: "no node serves now; one that starts takes the call", retryAfterMs };
  const message = describePoolRefusal(refusal);
  if (refusal.reason === "quota") return { reason: "namespace_quota", message, retryAfterMs: undefined };
  return { reason: "no_capacity", message, retryAfterMs };
}
