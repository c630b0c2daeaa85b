// An answer, and its bytes: what a worker writes, a record keeps and another node passes on. The first byte
// says what follows.
import { grpcCodes } from "@voda/proto/errors";
import { type Code, type Reason, reasons } from "@voda/proto/wire";
import { type ByteReader, ByteWriter } from "@voda/stdx";
import { FrameError } from "../frame/index.ts";
import type { AbandonReason, Call, Content } from "./call.ts";
import { readEntries, writeText } from "./entries.ts";

/**
 * What went wrong, as callers and records have it. `retryAfterMs`: a hint, absent when a retry would not
 * help.
 */
export interface Failure {
  readonly code: Code;
  /** A `Reason` of voda, or what the handler's VodaError names. */
  readonly reason: string;
  readonly message: string;
  readonly retryAfterMs?: number;
  readonly metadata?: Readonly<Record<string, string>>;
  /**
   * Whose it is: the handler's own words, whatever its reason is called, or of a handler that ended its
   * thread, or its node again and again. Absent: voda's.
   */
  readonly by?: (typeof failing)[number];
}

const failing = ["handler", "thread", "node"] as const;

/** An answer that says no. */
export interface Failed {
  readonly ok: false;
  readonly failure: Failure;
}

/** The body is written as `content` says, which is that of the call. */
export type Answer = { readonly ok: true; readonly content: Content; readonly body: Uint8Array } | Failed;

/** What the owner tells beside the answer. */
export interface AnswerMeta {
  /** `ip:port` of the owner's ingress. */
  readonly hint?: string;
  /** For reading one's own writes. */
  readonly token?: string;
}

/** Hears the answer to one call, once. */
export type Reply = (answer: Answer, meta: AnswerMeta) => void;

/** Says that nobody waits for the call any more. */
export type TakeBack = (why: AbandonReason) => void;

/**
 * Where calls come in, from clients and from other nodes. The answer comes at most once, perhaps before this
 * returns.
 */
export type Submit = (call: Call, reply: Reply) => TakeBack;

/** A failure of voda's own: the reason gives the code. */
export function fail(
  reason: Exclude<Reason, "user">,
  message: string,
  more: Pick<Failure, "retryAfterMs" | "metadata" | "by"> = {},
): Failed {
  return { ok: false, failure: { code: reasons[reason], reason, message, ...more } };
}

const kinds = { json: 0, proto: 1, failure: 2 } as const;

/** A byte of kind and the body: a copy, so that the caller may use its memory again. */
export function encodeAnswer(answer: Answer): Uint8Array {
  const body = answer.ok ? answer.body : encodeFailure(answer.failure);
  const bytes = new Uint8Array(1 + body.length);
  bytes[0] = kinds[answer.ok ? answer.content : "failure"];
  bytes.set(body, 1);
  return bytes;
}

/** The body is a view of `bytes`. @throws FrameError */
export function decodeAnswer(bytes: Uint8Array): Answer {
  const body = bytes.subarray(1);
  switch (bytes[0]) {
    case kinds.json:
      return { ok: true, content: "json", body };
    case kinds.proto:
      return { ok: true, content: "proto", body };
    case kinds.failure:
      return { ok: false, failure: decodeFailure(body) };
    case undefined:
    default:
      throw new FrameError(`answer of unknown kind ${bytes[0]}`);
  }
}

/**
 * Whether they decode, without a part of their own for a body that nobody looks at yet. @throws FrameError
 */
export function checkAnswer(bytes: Uint8Array): void {
  const [kind] = bytes;
  if (kind !== kinds.json && kind !== kinds.proto) decodeAnswer(bytes);
}

const hintTag = 1;
const tokenTag = 2;

/** Both absent: no bytes at all. */
export function encodeAnswerMeta({ hint, token }: AnswerMeta): Uint8Array<ArrayBuffer> {
  const out = new ByteWriter(64);
  writeText(out, hintTag, hint);
  writeText(out, tokenTag, token);
  return out.finish();
}

/** @throws FrameError */
export function decodeAnswerMeta(bytes: Uint8Array): AnswerMeta {
  let hint: string | undefined;
  let token: string | undefined;
  readEntries(bytes, (tag, input) => {
    if (tag === hintTag) hint = input.text();
    else if (tag === tokenTag) token = input.text();
    else return false;
    return true;
  });
  return { ...(hint !== undefined && { hint }), ...(token !== undefined && { token }) };
}

const codeTag = 1;
const reasonTag = 2;
const messageTag = 3;
const retryAfterTag = 4;
const metadataTag = 5;
const byTag = 6;

/** Codes by their number, as gRPC and Connect have them. */
const codes = new Map<number, Code>(
  Object.entries(grpcCodes).map(([code, number]) => [number, code as Code]),
);

/** Entries ascend by tag, as `readEntries` demands; what the failure does not have has no entry. */
export function encodeFailure(failure: Failure): Uint8Array<ArrayBuffer> {
  const out = new ByteWriter(128);
  out.u8(codeTag);
  out.u8(grpcCodes[failure.code]);
  writeText(out, reasonTag, failure.reason);
  writeText(out, messageTag, failure.message);
  if (failure.retryAfterMs !== undefined) {
    out.u8(retryAfterTag);
    // whole milliseconds, never less than what was meant
    out.varint(Math.ceil(failure.retryAfterMs));
  }
  if (failure.metadata !== undefined) {
    const entries = Object.entries(failure.metadata);
    out.u8(metadataTag);
    out.varint(entries.length);
    for (const [name, value] of entries) {
      out.text(name);
      out.text(value);
    }
  }
  if (failure.by !== undefined) {
    out.u8(byTag);
    out.u8(failing.indexOf(failure.by));
  }
  return out.finish();
}

/** @throws FrameError */
export function decodeFailure(bytes: Uint8Array): Failure {
  let code: Code | undefined;
  let reason = "";
  let message = "";
  let retryAfterMs: number | undefined;
  let metadata: Record<string, string> | undefined;
  let by: Failure["by"];
  readEntries(bytes, (tag, input) => {
    if (tag === codeTag) code = codes.get(input.u8());
    else if (tag === reasonTag) reason = input.text();
    else if (tag === messageTag) message = input.text();
    else if (tag === retryAfterTag) retryAfterMs = input.varint();
    else if (tag === metadataTag) metadata = readMetadata(input);
    // what a later version adds counts as voda's own words: tried again, which loses no message
    else if (tag === byTag) by = failing[input.u8()];
    else return false;
    return true;
  });
  // every version writes one: without it nobody could map the failure to a status
  if (code === undefined) throw new FrameError("a failure without a known code");
  return {
    code,
    reason,
    message,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(metadata === undefined ? {} : { metadata }),
    ...(by === undefined ? {} : { by }),
  };
}

function readMetadata(input: ByteReader): Record<string, string> {
  const entries: [string, string][] = [];
  for (let left = input.count(2); left > 0; left -= 1) entries.push([input.text(), input.text()]);
  return Object.fromEntries(entries);
}
