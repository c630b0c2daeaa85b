// Which session a request is for. What is malformed is left to the node: it answers in the caller's protocol.
import type { SessionName } from "@voda/proto/session";
import { type PathHeaders, pathOf, readPlainPath, readSessionPath } from "@voda/proto/session-path";

/** Finds the one agent that implements a service. */
export type Implementer = (namespace: string, service: string) => string | undefined;

/**
 * `undefined` when no session can be told from the request. `target` is as the client sent it, still
 * percent-encoded.
 */
export function sessionOf(
  target: string,
  headers: PathHeaders,
  implementer: Implementer,
): SessionName | undefined {
  const path = readSessionPath(pathOf(target), headers, readPlainPath);
  if (path.type === "plain") return path.name;
  if (path.type === "problem" || path.key === undefined) return undefined;
  const agent = path.agent ?? implementer(path.namespace, path.service);
  return agent === undefined ? undefined : { namespace: path.namespace, agent, key: path.key };
}
