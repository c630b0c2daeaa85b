// The 16 bytes that a session token spells in 26 characters of base32.
import type { SessionToken } from "@voda/proto/session";
import { FrameError } from "./frame.ts";

const ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";
const TOKEN_BYTES = 16;

export function packToken(token: SessionToken): Uint8Array {
  const bytes = new Uint8Array(TOKEN_BYTES);
  let buffer = 0;
  let bits = 0;
  let at = 0;
  for (const letter of token) {
    buffer = ((buffer << 5) | ALPHABET.indexOf(letter)) & 0xfff;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes[at++] = buffer >> bits;
  }
  return bytes;
}

/** @throws FrameError */
export function unpackToken(bytes: Uint8Array): SessionToken {
  if (bytes.length !== TOKEN_BYTES)
    throw new FrameError(`token of ${bytes.length} bytes; it has ${TOKEN_BYTES}`);
  let text = "";
  let buffer = 0;
  let bits = 0;
  for (const byte of bytes) {
    buffer = ((buffer << 8) | byte) & 0xfff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET.charAt((buffer >> bits) & 31);
    }
  }
  return (text + ALPHABET.charAt((buffer << (5 - bits)) & 31)) as SessionToken;
}
