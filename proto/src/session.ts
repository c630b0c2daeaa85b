// What follows from the name of a session: its token.
import { hash } from "node:crypto";
import { type SessionName, type SessionToken, sessionNameProblem, tokenAlphabet } from "./name.ts";

export {
  defaultNamespace,
  identifierProblem,
  isSessionToken,
  keyBytesMax,
  keyProblem,
  type NamedSession,
  type SessionName,
  type SessionToken,
  sessionNameProblem,
  shardCount,
  shardOf,
} from "./name.ts";

const tokenBytes = 16;
const utf8 = new TextEncoder();

/** The token of a name. It stands in subjects of stored data: how it is made never changes. */
export function sessionToken(name: SessionName): SessionToken {
  const digest = hash("sha256", `${name.namespace}\0${name.agent}\0${name.key}`, "buffer");
  return base32(digest.subarray(0, tokenBytes)) as SessionToken;
}

/** Bytes of the record on the subject `….i`: the name behind a token, for listings. */
export function encodeNameRecord(name: SessionName): Uint8Array {
  return utf8.encode(JSON.stringify([name.namespace, name.agent, name.key]));
}

/** `undefined` when the bytes are no name record. */
export function decodeNameRecord(bytes: Uint8Array): SessionName | undefined {
  let parts: unknown;
  try {
    parts = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
  if (!Array.isArray(parts) || parts.length !== 3 || !parts.every((part) => typeof part === "string"))
    return undefined;
  const [namespace = "", agent = "", key = ""] = parts;
  const name = { namespace, agent, key };
  return sessionNameProblem(name) === undefined ? name : undefined;
}

function base32(bytes: Uint8Array): string {
  let text = "";
  let buffer = 0;
  let bits = 0;
  for (const byte of bytes) {
    buffer = (buffer << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += tokenAlphabet[(buffer >> bits) & 31];
    }
    buffer &= (1 << bits) - 1;
  }
  return bits === 0 ? text : text + tokenAlphabet[(buffer << (5 - bits)) & 31];
}
