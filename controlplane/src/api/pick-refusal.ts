import { ControlError } from "../errors.ts";
import { answers } from "../nats/command.ts";
import { storeAway } from "../nats/store-refusal.ts";
import type { CallerRefusal } from "../scheduler/index.ts";
import type { SessionContext } from "./session-context.ts";

/**
 * Why a session was not placed, for its caller. Under a NATS that is frozen no node is ready, for none can
 * renew its lease: that is no lack of room.
 */
export async function refusalOf(
  { connection }: Pick<SessionContext, "connection">,
  { reason, message, retryAfterMs }: CallerRefusal,
): Promise<ControlError> {
  if (reason !== "namespace_quota" && !(await answers(connection)))
    return storeAway("nats-server does not answer");
  return ControlError.of(reason, message, retryAfterMs);
}
