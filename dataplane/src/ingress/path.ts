// Names in paths and headers: percent-encoded UTF-8, decoded once.
import { defaultNamespace, identifierProblem, keyProblem } from "@voda/proto/session";
import { methodBytesMax } from "./limits.ts";
import { refuse } from "./refusal.ts";

export interface PlainPath {
  readonly namespace: string;
  readonly agent: string;
  readonly key: string;
  readonly method: string;
  /** The session's part of the path as it was sent. */
  readonly prefix: string;
}

const PLAIN = /^(?:\/namespaces\/([^/]*))?\/agents\/([^/]*)\/([^/]*)\/([^/]*)$/;
const RPC = /^\/([A-Za-z_][\w.]*)\/([A-Za-z_]\w*)$/;
const PRINTABLE = /^[\x21-\x7e]*$/;

/** `/agents/{agent}/{key}/{method}`, in another namespace below `/namespaces/{namespace}`. @throws Refusal */
export function parsePlainPath(path: string): PlainPath {
  const parts = PLAIN.exec(path);
  if (parts === null) {
    throw refuse(
      "method_not_found",
      `no such path: ${path.slice(0, 200)}; calls go to POST /agents/{agent}/{key}/{method}`,
      404,
    );
  }
  const [, namespace = defaultNamespace, agent = "", key = "", method = ""] = parts;
  checkIdentifier("namespace", namespace);
  checkIdentifier("agent", agent);
  const decoded = decodeName("method", method);
  if (decoded === "" || Buffer.byteLength(decoded) > methodBytesMax) {
    throw refuse(
      "bad_request",
      `method of ${Buffer.byteLength(decoded)} bytes; it has 1 to methodBytesMax ${methodBytesMax}`,
    );
  }
  return {
    namespace,
    agent,
    key: decodeKey(key),
    method: decoded,
    prefix: path.slice(0, path.length - method.length - 1),
  };
}

/** `/package.Service/Method`. @throws Refusal */
export function parseRpcPath(path: string): { service: string; rpc: string } {
  const parts = RPC.exec(path);
  if (parts === null) {
    const known = "typed calls go to /package.Service/Method, plain ones to /agents/{agent}/{key}/{method}";
    throw refuse("method_not_found", `no such path: ${path.slice(0, 200)}; ${known}`, 404);
  }
  const [, service = "", rpc = ""] = parts;
  return { service, rpc };
}

/** @throws Refusal */
export function checkIdentifier(what: "agent" | "namespace", name: string): void {
  const problem = identifierProblem(what, name);
  if (problem !== undefined) throw refuse("bad_request", problem);
}

/** @throws Refusal */
export function decodeKey(encoded: string): string {
  const key = decodeName("key", encoded);
  const problem = keyProblem(key);
  if (problem !== undefined) throw refuse("bad_request", problem);
  return key;
}

function decodeName(what: string, encoded: string): string {
  if (!PRINTABLE.test(encoded))
    throw refuse("bad_request", `the ${what} has bytes that must be percent-encoded`);
  try {
    return decodeURIComponent(encoded);
  } catch (error) {
    if (error instanceof URIError)
      throw refuse("bad_request", `the ${what} ${encoded.slice(0, 100)} is not percent-encoded UTF-8`);
    throw error;
  }
}
