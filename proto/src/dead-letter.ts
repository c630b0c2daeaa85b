// A message between sessions that was given up, as it lies in the log until a person decides.
import type { SessionName } from "./name.ts";
import type { Code } from "./wire.ts";

export interface StoredDeadLetter {
  /** Who sent it. */
  readonly from: SessionName;
  /** Its number there. */
  readonly n: number;
  /** Whom it was for, in the same namespace. */
  readonly agent: string;
  readonly key: string;
  readonly method: string;
  /** JSON; empty: no content. */
  readonly body: Uint8Array;
  /** What its last attempt ended with. */
  readonly code: Code;
  readonly reason: string;
  readonly message: string;
  /** How often its handler was to blame. */
  readonly attempts: number;
  /** When its turn was committed, by the store's clock. */
  readonly sentAtMs: number;
}

export function encodeDeadLetter(letter: StoredDeadLetter): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ ...letter, body: letter.body.toBase64() }));
}

/** `undefined` when the bytes are none. */
export function decodeDeadLetter(bytes: Uint8Array): StoredDeadLetter | undefined {
  try {
    const letter: Omit<StoredDeadLetter, "body"> & { readonly body: string } = JSON.parse(
      new TextDecoder("utf-8", { fatal: true }).decode(bytes),
    );
    return { ...letter, body: Uint8Array.fromBase64(letter.body) };
  } catch {
    return undefined;
  }
}
