// Names of sessions, and what follows from a name: its token and its shard.
import { hash } from "node:crypto";

declare const brand: unique symbol;
/** 26 characters: lower-case unpadded base32 (RFC 4648) of the first 16 bytes of SHA-256(namespace 0x00 agent 0x00 key). */
export type SessionToken = string & { readonly [brand]: "SessionToken" };

export interface SessionName {
  readonly namespace: string;
  readonly agent: string;
  readonly key: string;
}

export const defaultNamespace = "default";
/** Bytes of UTF-8. */
export const keyBytesMax = 256;
export const shardCount = 1024;

const TOKEN_BYTES = 16;
const ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";
const IDENTIFIER = /^[a-z][a-z0-9-]{0,62}$/;
const CONTROL = /\p{Cc}/u;
const utf8 = new TextEncoder();

export function sessionToken(name: SessionName): SessionToken {
  const digest = hash("sha256", `${name.namespace}\0${name.agent}\0${name.key}`, "buffer");
  return base32(digest.subarray(0, TOKEN_BYTES)) as SessionToken;
}

/** The first 10 bits of the token: 0 to 1023. */
export function shardOf(token: SessionToken): number {
  return ALPHABET.indexOf(token.charAt(0)) * 32 + ALPHABET.indexOf(token.charAt(1));
}

export function isSessionToken(text: string): text is SessionToken {
  return /^[a-z2-7]{26}$/.test(text);
}

/** What is wrong with a key, or `undefined`: 1 to 256 bytes of UTF-8 without control characters. */
export function keyProblem(key: string): string | undefined {
  if (key === "") return "the key is empty; it must have 1 to 256 bytes";
  const bytes = utf8.encode(key).length;
  if (bytes > keyBytesMax) return `key of ${bytes} bytes exceeds keyBytesMax ${keyBytesMax}`;
  if (CONTROL.test(key)) return "the key has a control character";
  return undefined;
}

/** What is wrong with the name of an agent or a namespace, or `undefined`. */
export function identifierProblem(what: "agent" | "namespace", name: string): string | undefined {
  if (IDENTIFIER.test(name)) return undefined;
  return `${what} ${JSON.stringify(name.slice(0, 80))} is not a name: 1 to 63 of a-z, 0-9 and "-", first a letter`;
}

export function sessionNameProblem(name: SessionName): string | undefined {
  return identifierProblem("namespace", name.namespace) ?? identifierProblem("agent", name.agent) ?? keyProblem(name.key);
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
  if (!Array.isArray(parts) || parts.length !== 3 || !parts.every((part) => typeof part === "string")) return undefined;
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
      text += ALPHABET[(buffer >> bits) & 31];
    }
    buffer &= (1 << bits) - 1;
  }
  return bits === 0 ? text : text + ALPHABET[(buffer << (5 - bits)) & 31];
}
