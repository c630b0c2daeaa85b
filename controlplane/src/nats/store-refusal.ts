// What the clients of NATS throw while the store is away, recovers or is full, as what callers are told.

import { JetStreamApiCodes, JetStreamApiError, JetStreamError } from "@nats-io/jetstream";
import {
  ClosedConnectionError,
  ConnectionError,
  DrainingConnectionError,
  NoRespondersError,
  TimeoutError,
} from "@nats-io/transport-node";
import { storeIsFull } from "@voda/proto/wire";
import { ControlError } from "../errors.ts";

/** A server recovers its streams before it answers. */
const retryAfterMs = 1_000;
const serverError = 500;

const perhaps = "the call may have taken effect: ";

/** May be asked again when the store is back. */
export const storeAway = (why: string): ControlError =>
  ControlError.of("store_away", `the store is away: ${why}; ${perhaps}try again`, retryAfterMs);

/** A call that reads has no effect, whatever becomes of it. */
export const wordsForReader = ({ reason, message }: ControlError): string =>
  reason === "store_away" ? message.replace(perhaps, "") : message;

/** Undefined: the error says nothing about the store. */
export function storeRefusal(error: unknown): ControlError | undefined {
  if (error instanceof JetStreamApiError && error.code === storeIsFull)
    return ControlError.of(
      "store_full",
      `nothing can be stored: ${error.message}; make room, then try again`,
    );
  return error instanceof Error && isAway(error) ? storeAway(`nats-server: ${error.message}`) : undefined;
}

function isAway(error: Error): boolean {
  // voda made all streams: one that is not there is still to be recovered, or to be made anew by a node
  if (error instanceof JetStreamApiError)
    return error.code === JetStreamApiCodes.StreamNotFound || error.status >= serverError;
  if (error instanceof JetStreamError) return "code" in error && Number(error.code) >= serverError;
  if (awayErrors.some((one) => error instanceof one)) return true;
  // "jetstream is not enabled" is what the client makes of no responders
  return error.cause instanceof Error && isAway(error.cause);
}

const awayErrors = [
  TimeoutError,
  NoRespondersError,
  ConnectionError,
  ClosedConnectionError,
  DrainingConnectionError,
];
