// Which session a request is for, from its path and headers. What is malformed is left to the node: it answers in the
// caller's protocol.
import { defaultNamespace, type SessionName, sessionNameProblem } from "@voda/proto/session";

export interface RequestHead {
  /** As the client sent it, still percent-encoded. */
  readonly path: string;
  readonly session: string | undefined;
  readonly namespace: string | undefined;
  readonly agent: string | undefined;
}

/** Finds the one agent that implements a service. */
export type Implementer = (namespace: string, service: string) => string | undefined;

const PLAIN = /^\/agents\/([^/?]+)\/([^/?]+)(?:[/?]|$)/;
const IN_NAMESPACE = /^\/namespaces\/([^/?]+)(\/agents\/.*)$/;
const TYPED = /^\/([A-Za-z_][\w.]*)\/[A-Za-z_]\w*(?:\?|$)/;

/** `undefined` when no session can be told from the request. */
export function routeOf(head: RequestHead, implementer: Implementer): SessionName | undefined {
  const name = plainRoute(head) ?? typedRoute(head, implementer);
  return name === undefined || sessionNameProblem(name) !== undefined ? undefined : name;
}

function plainRoute(head: RequestHead): SessionName | undefined {
  const inNamespace = IN_NAMESPACE.exec(head.path);
  const plain = PLAIN.exec(inNamespace?.[2] ?? head.path);
  if (plain === null) return undefined;
  const namespace = inNamespace === null ? (head.namespace ?? defaultNamespace) : decode(inNamespace[1]);
  return nameOf(namespace, decode(plain[1]), decode(plain[2]));
}

function typedRoute(head: RequestHead, implementer: Implementer): SessionName | undefined {
  const service = TYPED.exec(head.path)?.[1];
  if (service === undefined || head.session === undefined) return undefined;
  const namespace = head.namespace ?? defaultNamespace;
  return nameOf(namespace, head.agent ?? implementer(namespace, service), decode(head.session));
}

function nameOf(namespace?: string, agent?: string, key?: string): SessionName | undefined {
  return namespace === undefined || agent === undefined || key === undefined
    ? undefined
    : { namespace, agent, key };
}

function decode(text: string | undefined): string | undefined {
  if (text?.includes("%") !== true) return text;
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}
