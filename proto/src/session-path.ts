// Which session and method a request is for, told by its path and headers. Both planes read it here: a picker
// that books one session while the node serves another would hand out room, quota and state of somebody else.
import { defaultNamespace, identifierProblem, keyProblem, type SessionName } from "./name.ts";
import { headers as names } from "./wire.ts";

/** Bytes of UTF-8 in the name of a method. */
export const methodBytesMax = 128;

/**
 * `/agents/{agent}/{key}/{method}`, in another namespace below `/namespaces/{namespace}`: it says everything
 * by itself.
 */
export interface PlainPath {
  readonly type: "plain";
  readonly name: SessionName;
  readonly method: string;
  /** The session's part of the path as it was sent. */
  readonly prefix: string;
}

/** `/package.Service/Method`: the session is in the headers. */
export interface TypedPath {
  readonly type: "typed";
  readonly service: string;
  readonly rpc: string;
  readonly namespace: string;
  /** Without it the one agent that implements the service is meant. */
  readonly agent: string | undefined;
  /** A service that no agent has is to be told before a key that is missing. */
  readonly key: string | undefined;
}

/** Why a request is for no session. */
export interface PathProblem {
  readonly type: "problem";
  readonly reason: "bad_request" | "method_not_found";
  readonly message: string;
}

/**
 * Values of the request's headers by lower-case name; one that came twice is not a text and counts as absent.
 */
export type PathHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

const plainForm = "calls go to POST /agents/{agent}/{key}/{method}";
const plainPath = /^(?:\/namespaces\/([^/]*))?\/agents\/([^/]*)\/([^/]*)\/([^/]*)$/;
const typedPath = /^\/([A-Za-z_][\w.]*)\/([A-Za-z_]\w*)$/;
const printableText = /^[\x21-\x7e]*$/;
const shownCharactersMax = 200;
const utf8 = new TextEncoder();

/** Path and query as sent -> the path. */
export function pathOf(target: string): string {
  const query = target.indexOf("?");
  return query < 0 ? target : target.slice(0, query);
}

/** Whether a path is a plain one, well-formed or not. */
export function isPlainPath(path: string): boolean {
  return path.startsWith("/agents/") || path.startsWith("/namespaces/");
}

/**
 * Reads a path without its query. `readPlain` is `readPlainPath`, or a memory of what it said: a plain path
 * alone tells its session, so its reading can be remembered by its text, and headers can only agree or
 * contradict.
 */
export function readSessionPath<Plain extends PlainPath>(
  path: string,
  headers: PathHeaders,
  readPlain: (path: string) => Plain | PathProblem,
): Plain | TypedPath | PathProblem {
  if (!isPlainPath(path)) return readTypedPath(path, headers);
  const plain = readPlain(path);
  return plain.type === "problem" ? plain : (contradiction(plain.name, headers) ?? plain);
}

/** The session and method of a plain path, by itself: what its headers say is not looked at. */
export function readPlainPath(path: string): PlainPath | PathProblem {
  const parts = plainPath.exec(path);
  if (parts === null) return noSuchPath(path, plainForm);
  const [, namespace = defaultNamespace, agent = "", encodedKey = "", encodedMethod = ""] = parts;
  const wrong = identifierProblem("namespace", namespace) ?? identifierProblem("agent", agent);
  if (wrong !== undefined) return problem(wrong);
  const method = decodeName("method", encodedMethod);
  if (typeof method !== "string") return method;
  const methodBytes = utf8.encode(method).length;
  if (methodBytes === 0) return problem(`the method is empty; ${plainForm}`);
  if (methodBytes > methodBytesMax)
    return problem(`method of ${methodBytes} bytes exceeds methodBytesMax ${methodBytesMax}`);
  const key = decodeKey(encodedKey);
  if (typeof key !== "string") return key;
  const prefix = path.slice(0, path.length - encodedMethod.length - 1);
  return { type: "plain", name: { namespace, agent, key }, method, prefix };
}

function readTypedPath(path: string, headers: PathHeaders): TypedPath | PathProblem {
  const parts = typedPath.exec(path);
  if (parts === null) {
    const known = "typed calls go to /package.Service/Method, plain ones to /agents/{agent}/{key}/{method}";
    return noSuchPath(path, known);
  }
  const [, service = "", rpc = ""] = parts;
  const namespace = valueOf(headers, names.namespace) ?? defaultNamespace;
  const agent = valueOf(headers, names.agent);
  const wrong =
    identifierProblem("namespace", namespace) ??
    (agent === undefined ? undefined : identifierProblem("agent", agent));
  if (wrong !== undefined) return problem(wrong);
  const encodedKey = valueOf(headers, names.session);
  const key = encodedKey === undefined ? undefined : decodeKey(encodedKey);
  if (typeof key === "object") return key;
  return { type: "typed", service, rpc, namespace, agent, key };
}

/**
 * A header beside a plain path may repeat what the path says, nothing else: no reader can then take it for
 * the other.
 */
function contradiction(
  { namespace, agent, key }: SessionName,
  headers: PathHeaders,
): PathProblem | undefined {
  return (
    differs(names.namespace, headers[names.namespace], namespace) ??
    differs(names.agent, headers[names.agent], agent) ??
    differs(names.session, headers[names.session], key)
  );
}

function differs(header: string, sent: PathHeaders[string], said: string): PathProblem | undefined {
  if (sent === undefined || sent === said) return undefined;
  const text = typeof sent === "string" ? sent : sent.join(", ");
  if (header === names.session && decodeName("key", text) === said) return undefined;
  const shown = JSON.stringify(text.slice(0, shownCharactersMax));
  return problem(
    `the header ${header} says ${shown}, the path says ${JSON.stringify(said)}: send one of them`,
  );
}

function valueOf(headers: PathHeaders, name: string): string | undefined {
  const value = headers[name];
  return typeof value === "string" ? value : undefined;
}

function decodeKey(encoded: string): string | PathProblem {
  const key = decodeName("key", encoded);
  if (typeof key !== "string") return key;
  const wrong = keyProblem(key);
  return wrong === undefined ? key : problem(wrong);
}

/** Percent-encoded UTF-8, decoded once. */
function decodeName(what: string, encoded: string): string | PathProblem {
  if (!printableText.test(encoded)) return problem(`the ${what} has bytes that must be percent-encoded`);
  try {
    return decodeURIComponent(encoded);
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    return problem(`the ${what} ${encoded.slice(0, shownCharactersMax)} is not percent-encoded UTF-8`);
  }
}

function problem(message: string): PathProblem {
  return { type: "problem", reason: "bad_request", message };
}

function noSuchPath(path: string, known: string): PathProblem {
  const message = `no such path: ${path.slice(0, shownCharactersMax)}; ${known}`;
  return { type: "problem", reason: "method_not_found", message };
}
