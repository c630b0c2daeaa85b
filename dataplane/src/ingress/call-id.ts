// What a retry has in common with the call it repeats (PROTOCOL.md 10.3): by it an effect happens once.
import { hash16 } from "@voda/proto/hash16";
import type { SessionName } from "@voda/proto/session";
import { callNumbersMax, headers, isCallNumber, numberedMsMax } from "@voda/proto/wire";
import { headerOf, type RequestHead } from "./head.ts";
import { idempotencyKeyBytesMax } from "./limits.ts";
import { refuse } from "./refusal.ts";

/** As the head says it. Texts are the caller's own; `callId` makes them the session's. */
export type Repeat =
  | { readonly type: "key"; readonly text: string; readonly keepMs: number }
  /** A client numbers its calls of a session; it will not repeat one below `lowest`. */
  | {
      readonly type: "numbered";
      readonly client: string;
      readonly seq: number;
      readonly lowest: number;
    };

/** Envoy repeats a request under the same id for this long at most. */
const requestIdKeepMs = 60_000;
const requestIdText = /^[\x21-\x7e]{1,256}$/;
const idempotencyKeyText = /^[\x20-\x7e]+$/;
const numberedText = /^([0-9a-f]{32})\.(\d{1,15})\.(\d{1,15})$/;

export interface Repeated {
  readonly isFromEdge: boolean;
  /** How long the agent keeps keys. */
  readonly dedupeMs: number;
  /** Until the call's deadline. */
  readonly callMs: number;
}

/**
 * `undefined` when nobody will repeat the call. `x-request-id` is one only where Envoy made it: others send
 * one id with several calls, and the second is not a repetition of the first.
 * @throws Refusal
 */
export function repeatOf(head: RequestHead, { isFromEdge, dedupeMs, callMs }: Repeated): Repeat | undefined {
  const key = headerOf(head, headers.idempotencyKey);
  const numbered = headerOf(head, headers.call);
  if (numbered !== undefined) {
    if (key !== undefined)
      throw refuse(
        "bad_request",
        `${headers.call} and ${headers.idempotencyKey} name one call twice: send one`,
      );
    if (callMs > numberedMsMax)
      throw refuse(
        "bad_request",
        `${headers.call} is for calls of at most ${numberedMsMax} ms, and this one has ${Math.round(callMs)}: ` +
          `send ${headers.idempotencyKey} instead, or a shorter time limit`,
      );
    return readNumbered(numbered);
  }
  if (key !== undefined) return readKey(key, dedupeMs);
  const requestId = isFromEdge ? requestIdOf(head) : undefined;
  return requestId === undefined
    ? undefined
    : { type: "key", text: `request\0${requestId}`, keepMs: requestIdKeepMs };
}

/** Only what may stand in an answer again. */
export function requestIdOf(head: RequestHead): string | undefined {
  const id = headerOf(head, headers.requestId);
  return id !== undefined && requestIdText.test(id) ? id : undefined;
}

function readKey(key: string, keepMs: number): Repeat {
  if (key.length > idempotencyKeyBytesMax) {
    throw refuse(
      "bad_request",
      `idempotency-key of ${key.length} bytes exceeds idempotencyKeyBytesMax ${idempotencyKeyBytesMax}`,
    );
  }
  if (!idempotencyKeyText.test(key))
    throw refuse(
      "bad_request",
      `idempotency-key ${JSON.stringify(key)} is not 1 to ${idempotencyKeyBytesMax} printable ASCII characters`,
    );
  return { type: "key", text: `key\0${key}`, keepMs };
}

function readNumbered(text: string): Repeat {
  const [, client, seqText, lowestText] = numberedText.exec(text) ?? [];
  if (client === undefined)
    throw refuse(
      "bad_request",
      `${headers.call} ${text.slice(0, 80)} is not {client}.{seq}.{lowest}: 32 hex digits and two numbers`,
    );
  const [seq, lowest] = [Number(seqText), Number(lowestText)];
  if (!isCallNumber(seq, lowest))
    throw refuse(
      "bad_request",
      `${headers.call}: ${seq} is not ${lowest}, its lowest, or one of the ${callNumbersMax} from it on`,
    );
  return { type: "numbered", client, seq, lowest };
}

/** 16 bytes: hash of a caller, a session and the caller's own text, so that nobody meets another's calls. */
export function ownedId(caller: string, { namespace, agent, key }: SessionName, text: string): Uint8Array {
  return hash16(`${caller}\0${namespace}/${agent}/${key}\0${text}`);
}

/**
 * 16 bytes over method, content and body as they came: equal ones are the same call, others may still mean
 * the same.
 */
export function rawHashOf(method: string, content: string, body: Uint8Array): Uint8Array {
  return hash16(Buffer.concat([Buffer.from(`${method}\0${content}\0`), body]));
}
