// Names of sessions, and what is wrong with one. Runs in a browser too: the token, which needs a hash, is in
// session.ts.
declare const brand: unique symbol;
/**
 * 26 characters: lower-case unpadded base32 (RFC 4648) of the first 16 bytes of SHA-256(namespace 0x00 agent
 * 0x00 key).
 */
export type SessionToken = string & { readonly [brand]: "SessionToken" };

/** What callers call a session by; its token is made from it. */
export interface SessionName {
  readonly namespace: string;
  readonly agent: string;
  readonly key: string;
}

/** Both, once the token is made. */
export interface NamedSession {
  readonly token: SessionToken;
  readonly name: SessionName;
}

/** Of calls and agents that name none. */
export const defaultNamespace = "default";
/** Bytes of UTF-8 in the key of a session. */
export const keyBytesMax = 256;
/**
 * Parts that sessions fall into by their tokens. Subjects and placements of stored data hold it: it never
 * changes.
 */
export const shardCount = 1024;

/** RFC 4648 base32 in lower case. */
export const tokenAlphabet = "abcdefghijklmnopqrstuvwxyz234567";
const identifierText = /^[a-z][a-z0-9-]*$/;
/** That of a topic leaves room for `on_`, before it in the handler of its subscribers. */
const identifierCharsMax = { agent: 63, namespace: 63, topic: 60 } as const;
const controlCharacter = /\p{Cc}/u;
const utf8 = new TextEncoder();

/** The first 10 bits of the token: 0 to 1023. */
export function shardOf(token: SessionToken): number {
  return tokenAlphabet.indexOf(token.charAt(0)) * 32 + tokenAlphabet.indexOf(token.charAt(1));
}

/** Whether a text has the form of a token; not whether there is such a session. */
export function isSessionToken(text: string): text is SessionToken {
  return /^[a-z2-7]{26}$/.test(text);
}

/** What is wrong with a key, or `undefined`: 1 to 256 bytes of UTF-8 without control characters. */
export function keyProblem(key: string): string | undefined {
  if (key === "") return "the key is empty; it must have 1 to 256 bytes";
  const bytes = utf8.encode(key).length;
  if (bytes > keyBytesMax) return `key of ${bytes} bytes exceeds keyBytesMax ${keyBytesMax}`;
  if (controlCharacter.test(key)) return "the key has a control character";
  return undefined;
}

/** What is wrong with the name of an agent, a namespace or a topic, or `undefined`. */
export function identifierProblem(what: keyof typeof identifierCharsMax, name: unknown): string | undefined {
  // a pattern would take `undefined` for its name
  if (typeof name !== "string") return `${what} is of type ${typeof name}, not a name`;
  const charsMax = identifierCharsMax[what];
  if (identifierText.test(name) && name.length <= charsMax) return undefined;
  const shown = JSON.stringify(name.slice(0, 80));
  return `${what} ${shown} is not a name: 1 to ${charsMax} of a-z, 0-9 and "-", first a letter`;
}

/** What is wrong with the name of a session, or `undefined`. */
export function sessionNameProblem(name: SessionName): string | undefined {
  return (
    identifierProblem("namespace", name.namespace) ??
    identifierProblem("agent", name.agent) ??
    keyProblem(name.key)
  );
}
