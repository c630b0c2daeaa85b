// The last decision about each of the sessions that were placed of late. Bounded: what is older is forgotten.
import type { SessionToken } from "@voda/proto/session";
import { BoundedMap } from "@voda/stdx";
import type { Decision } from "./decision.ts";

/** Sessions whose last decision is kept: about 1 KiB each. */
export const decisionsMax = 10_000;

/** By session; a session keeps its last decision only. */
export const createDecisionLog = (): BoundedMap<SessionToken, Decision> => new BoundedMap(decisionsMax);
