import { defaultNamespace, type SessionName, sessionNameProblem } from "@voda/proto/session";
import { CliError, exitCodes } from "./failure.ts";

/** `counter/alice`: everything after the first slash is the key. @throws a usage error */
export function parseSession(text: string, namespace: string = defaultNamespace): SessionName {
  const slash = text.indexOf("/");
  if (slash < 0)
    throw new CliError(
      `${JSON.stringify(text)} names no session; write AGENT/KEY, as in counter/alice`,
      exitCodes.usage,
    );
  const name = { namespace, agent: text.slice(0, slash), key: text.slice(slash + 1) };
  const problem = sessionNameProblem(name);
  if (problem !== undefined)
    throw new CliError(`${problem}; write AGENT/KEY, as in counter/alice`, exitCodes.usage);
  return name;
}

/** The plain path of a method of a session. */
export function methodPath(name: SessionName, method: string): string {
  const agents =
    name.namespace === defaultNamespace ? "" : `/namespaces/${encodeURIComponent(name.namespace)}`;
  return `${agents}/agents/${encodeURIComponent(name.agent)}/${encodeURIComponent(name.key)}/${encodeURIComponent(method)}`;
}
