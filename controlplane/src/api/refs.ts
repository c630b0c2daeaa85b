// What requests of the API refer to: read and checked in one place, and refused in the same words.
import type { SessionRef } from "@voda/proto/api";
import { defaultNamespace, type SessionName, sessionNameProblem } from "@voda/proto/session";
import { ControlError } from "../errors.ts";

/** Reads and checks a reference to a session. @throws ControlError `bad_request` */
export function nameOf(ref: SessionRef | undefined): SessionName {
  if (ref === undefined) throw ControlError.of("bad_request", "the request names no session");
  const name = {
    namespace: ref.namespace === "" ? defaultNamespace : ref.namespace,
    agent: ref.agent,
    key: ref.key,
  };
  const problem = sessionNameProblem(name);
  if (problem !== undefined) throw ControlError.of("bad_request", problem);
  return name;
}

/** Of an agent that a request names. */
export function agentNotFound(namespace: string, name: string): ControlError {
  return ControlError.of(
    "agent_not_found",
    `agent ${JSON.stringify(name)} is not deployed in namespace ${JSON.stringify(namespace)}`,
  );
}
