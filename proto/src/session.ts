// What follows from the name of a session: its token.
import { hash } from "node:crypto";
import { type SessionName, type SessionToken, tokenAlphabet } from "./name.ts";

export {
  defaultNamespace,
  identifierProblem,
  isSessionToken,
  keyBytesMax,
  keyProblem,
  type SessionName,
  type SessionToken,
  sessionNameProblem,
  shardCount,
  shardOf,
} from "./name.ts";

const TOKEN_BYTES = 16;

export function sessionToken(name: SessionName): SessionToken {
  const digest = hash("sha256", `${name.namespace}\0${name.agent}\0${name.key}`, "buffer");
  return base32(digest.subarray(0, TOKEN_BYTES)) as SessionToken;
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
