// The meta block of a frame: entries `tag u8, value` in ascending order of their tags, each at most once, absent where there is nothing
// to say. Name, token, method, deadline and body of an invocation travel elsewhere in the frame.
import { grpcCodes } from "@voda/proto/errors";
import { ByteReader, ByteWriter, DecodeError } from "@voda/stdx";
import type { Content, Failure, Invocation } from "../invocation.ts";
import { codeOf } from "./code.ts";
import { FrameError } from "./frame.ts";

export type InvocationMeta = Pick<
  Invocation,
  "id" | "bodyHash" | "keepMs" | "content" | "readonly" | "caller" | "traceparent" | "hops" | "grant"
>;

export const hashBytes = 16;
const NO_HASH = new Uint8Array(hashBytes);
const ANONYMOUS = "anonymous";

const ID = 1; // 16 bytes of id, 16 bytes of body hash
const KEEP_MS = 2;
const CONTENT_PROTO = 3;
const READONLY = 4;
const CALLER = 5;
const TRACEPARENT = 6;
const HOPS = 7;
const GRANT = 8;

const CODE = 1;
const REASON = 2;
const MESSAGE = 3;
const RETRY_AFTER_MS = 4;
const METADATA = 5;

/** The body hash of a call without id says nothing and is not carried: it reads as zeros. */
export function encodeInvocationMeta(meta: InvocationMeta): Uint8Array<ArrayBuffer> {
  const out = new ByteWriter(128);
  if (meta.id !== undefined) {
    if (meta.id.length !== hashBytes || meta.bodyHash.length !== hashBytes)
      throw new RangeError("id and bodyHash have 16 bytes");
    out.u8(ID);
    out.raw(meta.id);
    out.raw(meta.bodyHash);
  }
  number(out, KEEP_MS, meta.keepMs);
  if (meta.content === "proto") out.u8(CONTENT_PROTO);
  if (meta.readonly) out.u8(READONLY);
  if (meta.caller !== ANONYMOUS) text(out, CALLER, meta.caller);
  text(out, TRACEPARENT, meta.traceparent);
  number(out, HOPS, meta.hops);
  text(out, GRANT, meta.grant);
  return out.finish();
}

/** Copies what it returns. @throws FrameError */
export function decodeInvocationMeta(bytes: Uint8Array): InvocationMeta {
  let id: Uint8Array | undefined;
  let bodyHash: Uint8Array = NO_HASH;
  let keepMs = 0;
  let content: Content = "json";
  let readonly = false;
  let caller = ANONYMOUS;
  let traceparent: string | undefined;
  let hops = 0;
  let grant: string | undefined;
  readEntries(bytes, (tag, input) => {
    if (tag === ID) {
      id = input.raw(hashBytes).slice();
      bodyHash = input.raw(hashBytes).slice();
    } else if (tag === KEEP_MS) keepMs = input.varint();
    else if (tag === CONTENT_PROTO) content = "proto";
    else if (tag === READONLY) readonly = true;
    else if (tag === CALLER) caller = input.text();
    else if (tag === TRACEPARENT) traceparent = input.text();
    else if (tag === HOPS) hops = input.varint();
    else if (tag === GRANT) grant = input.text();
    else return false;
    return true;
  });
  return { id, bodyHash, keepMs, content, readonly, caller, traceparent, hops, grant };
}

export function encodeFailure(failure: Failure): Uint8Array<ArrayBuffer> {
  const out = new ByteWriter(128);
  out.u8(CODE);
  out.u8(grpcCodes[failure.code]);
  text(out, REASON, failure.reason);
  text(out, MESSAGE, failure.message);
  if (failure.retryAfterMs !== undefined) {
    out.u8(RETRY_AFTER_MS);
    out.varint(Math.ceil(failure.retryAfterMs));
  }
  if (failure.metadata !== undefined) {
    const entries = Object.entries(failure.metadata);
    out.u8(METADATA);
    out.varint(entries.length);
    for (const [name, value] of entries) {
      out.text(name);
      out.text(value);
    }
  }
  return out.finish();
}

/** @throws FrameError */
export function decodeFailure(bytes: Uint8Array): Failure {
  let code: Failure["code"] | undefined;
  let reason = "";
  let message = "";
  let retryAfterMs: number | undefined;
  let metadata: Record<string, string> | undefined;
  readEntries(bytes, (tag, input) => {
    if (tag === CODE) code = codeOf(input.u8());
    else if (tag === REASON) reason = input.text();
    else if (tag === MESSAGE) message = input.text();
    else if (tag === RETRY_AFTER_MS) retryAfterMs = input.varint();
    else if (tag === METADATA) metadata = readMetadata(input);
    else return false;
    return true;
  });
  if (code === undefined) throw new FrameError("a failure without a known code");
  return {
    code,
    reason,
    message,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(metadata === undefined ? {} : { metadata }),
  };
}

function readMetadata(input: ByteReader): Record<string, string> {
  const entries: [string, string][] = [];
  for (let left = input.count(2); left > 0; left -= 1) entries.push([input.text(), input.text()]);
  return Object.fromEntries(entries);
}

/** `read` says whether it knows the tag. */
function readEntries(bytes: Uint8Array, read: (tag: number, input: ByteReader) => boolean): void {
  // A TextDecoder refuses shared memory, and a copy cannot change between a check and its use.
  const input = new ByteReader(new Uint8Array(bytes));
  let last = 0;
  try {
    while (input.left > 0) {
      const tag = input.u8();
      if (tag <= last) throw new FrameError(`meta entry ${tag} after ${last}; entries ascend`);
      if (!read(tag, input)) throw new FrameError(`unknown meta entry ${tag}`);
      last = tag;
    }
  } catch (cause) {
    if (cause instanceof DecodeError) throw new FrameError(`meta: ${cause.message}`, { cause });
    throw cause;
  }
}

function number(out: ByteWriter, tag: number, value: number): void {
  if (value === 0) return;
  out.u8(tag);
  out.varint(value);
}

function text(out: ByteWriter, tag: number, value: string | undefined): void {
  if (value === undefined) return;
  out.u8(tag);
  out.text(value);
}
