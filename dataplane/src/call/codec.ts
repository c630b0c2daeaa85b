// A call as a frame: the same bytes in a ring and between nodes. What nearly every call has stands in the
// header, the method is the subject, the body the payload; the rest are entries, so that a call without them
// has an empty meta block.
import { defaultNamespace, type SessionName, sessionNameProblem } from "@voda/proto/session";
import { type ByteReader, ByteWriter } from "@voda/stdx";
import { type FrameCursor, FrameDraft, FrameError } from "../frame/index.ts";
import {
  anonymous,
  type Call,
  type CallHead,
  type CallId,
  type CallType,
  chainMax,
  noChain,
  type SentId,
  type SessionCall,
} from "./call.ts";
import { readEntries, writeNumber, writeText } from "./entries.ts";
import { tokenOf } from "./token.ts";
import { decodeWord, encodeWord } from "./words.ts";

// Flags, types and tags are what lies on the wire between nodes of two versions: each keeps its meaning for
// ever.
const readonlyFlag = 1;
const protoFlag = 2;
const rejectFlag = 4;
const begunFlag = 8;
const suspectFlag = 16;
/** A type travels as its place in this list: append only. */
const types: readonly CallType[] = ["invoke", "end", "wake", "deliver"];
const hashBytes = 16;
const nothing = new Uint8Array(0);

const nameTag = 1;
const keyTag = 2;
const numberedTag = 3;
const callerTag = 4;
const traceTag = 5;
const hopsTag = 6;
const requestTag = 7;
const chainTag = 8;
const sentTag = 9;

/** For a worker: whose call it is, the activation of the frame says. `nowMs` by the monotonic clock. */
export function encodeSessionCall(call: SessionCall, nowMs: number): FrameDraft {
  return frameOf(call, undefined, nowMs);
}

/** For another node. */
export function encodeCall(call: Call, nowMs: number): FrameDraft {
  return frameOf(call, call.name, nowMs);
}

/**
 * Copies what it returns. The call keeps the number of the frame: both ends are in one process. @throws
 * FrameError
 */
export function decodeSessionCall(frame: FrameCursor, nowMs: number): SessionCall {
  return partsOf(frame, frame.call, metaOf(frame), nowMs);
}

/** Copies what it returns. `number`: the call's in this process. @throws FrameError */
export function decodeCall(frame: FrameCursor, number: number, nowMs: number): Call {
  const meta = metaOf(frame);
  const { name } = meta;
  const problem = name === undefined ? "it names no session" : sessionNameProblem(name);
  // who sent it checked it too; here it becomes a subject of the store, so it is checked where it enters
  if (name === undefined || problem !== undefined) throw new FrameError(`a call in a frame: ${problem}`);
  const token = tokenOf(name);
  // a grant does not travel: the node that owns a session needs none
  return { ...partsOf(frame, number, meta, nowMs), name, token, grant: undefined, devices: undefined };
}

function frameOf(call: SessionCall, name: SessionName | undefined, nowMs: number): FrameDraft {
  const { head, method, content, body } = call;
  const frame = new FrameDraft();
  frame.code = types.indexOf(head.type);
  frame.flags = (head.readonly ? readonlyFlag : 0) | (content === "proto" ? protoFlag : 0);
  if (head.onBusy === "reject") frame.flags |= rejectFlag;
  if (head.mayHaveBegun) frame.flags |= begunFlag;
  if (head.isSuspect) frame.flags |= suspectFlag;
  frame.call = head.number;
  // how long it still has: the clocks of two nodes need not agree
  frame.remainingMs = head.deadlineMs - nowMs;
  frame.subject = encodeWord(method);
  frame.meta = encodeMeta(call, name);
  frame.payload = body;
  return frame;
}

interface Meta {
  readonly name: SessionName | undefined;
  readonly id: CallId | undefined;
  readonly caller: string;
  readonly traceparent: string | undefined;
  readonly requestId: string | undefined;
  readonly hops: number;
  readonly chain: readonly string[];
}

/** Most calls have no block. */
const noMeta: Meta = {
  name: undefined,
  id: undefined,
  caller: anonymous,
  traceparent: undefined,
  requestId: undefined,
  hops: 0,
  chain: noChain,
};

const metaOf = (frame: FrameCursor): Meta => (frame.metaLength === 0 ? noMeta : decodeMeta(frame.meta()));

/** What cannot be is refused here, not deep in a lane: a frame may come from a node of another version. */
function partsOf(
  frame: FrameCursor,
  number: number,
  { id, hops, caller, traceparent, requestId, chain }: Meta,
  nowMs: number,
): SessionCall {
  const type = types[frame.code];
  if (type === undefined) throw new FrameError(`call of unknown type ${frame.code}`);
  const head: CallHead = {
    number,
    type,
    readonly: (frame.flags & readonlyFlag) !== 0,
    deadlineMs: nowMs + frame.remainingMs,
    id,
    hops,
    mayHaveBegun: (frame.flags & begunFlag) !== 0,
    isSuspect: (frame.flags & suspectFlag) !== 0,
    onBusy: (frame.flags & rejectFlag) === 0 ? "queue" : "reject",
    bytes: frame.payloadLength,
  };
  return {
    head,
    method: decodeWord(frame.subject()),
    content: (frame.flags & protoFlag) === 0 ? "json" : "proto",
    body: frame.payloadCopy(),
    caller,
    traceparent,
    requestId,
    chain,
  };
}

/** Memory of its own costs more than what most calls write. */
const scratch = new ByteWriter(256);

function encodeMeta(
  { head, caller, traceparent, requestId, chain }: SessionCall,
  name: SessionName | undefined,
): Uint8Array {
  const { id, hops } = head;
  // most calls have no entry: their frame needs no meta block
  const isTraced = traceparent !== undefined || requestId !== undefined;
  const isPlain = caller === anonymous && hops === 0 && id === undefined && !isTraced;
  if (isPlain && chain.length === 0 && name === undefined) return nothing;
  const out = scratch;
  out.clear(); // a write that threw left something
  // the default namespace is written as nothing: nearly every session has it
  if (name !== undefined) {
    out.u8(nameTag);
    out.text(name.namespace === defaultNamespace ? "" : name.namespace);
    out.block(encodeWord(name.agent));
    out.block(encodeWord(name.key));
  }
  if (id !== undefined && id.type !== "sent") writeId(out, id);
  if (caller !== anonymous) writeText(out, callerTag, caller);
  writeText(out, traceTag, traceparent);
  writeNumber(out, hopsTag, hops);
  writeText(out, requestTag, requestId);
  if (chain.length > 0) {
    out.u8(chainTag);
    out.varint(chain.length);
    for (const session of chain) out.block(encodeWord(session));
  }
  if (id?.type === "sent") writeSentId(out, id);
  return out.finish();
}

function decodeMeta(bytes: Uint8Array): Meta {
  let name: SessionName | undefined;
  let id: CallId | undefined;
  let caller = anonymous;
  let traceparent: string | undefined;
  let requestId: string | undefined;
  let hops = 0;
  let chain = noChain;
  readEntries(bytes, (tag, input) => {
    if (tag === nameTag)
      name = { namespace: input.text() || defaultNamespace, agent: input.text(), key: input.text() };
    else if (tag === keyTag || tag === numberedTag) id = readId(tag, input, id);
    else if (tag === callerTag) caller = input.text();
    else if (tag === traceTag) traceparent = input.text();
    else if (tag === hopsTag) hops = input.varint();
    else if (tag === requestTag) requestId = input.text();
    else if (tag === chainTag) chain = readChain(input);
    else if (tag === sentTag) id = readSentId(input, id);
    else return false;
    return true;
  });
  return { name, id, caller, traceparent, requestId, hops, chain };
}

function readChain(input: ByteReader): string[] {
  const count = input.count(1);
  if (count > chainMax) throw new FrameError(`a chain of ${count} sessions exceeds chainMax ${chainMax}`);
  return Array.from({ length: count }, () => input.text());
}

function writeSentId(out: ByteWriter, { source, n }: SentId): void {
  if (source.length !== hashBytes)
    throw new RangeError(`a source of ${source.length} bytes; it has ${hashBytes}`);
  out.u8(sentTag);
  out.raw(source);
  out.varint(n);
}

function readSentId(input: ByteReader, before: CallId | undefined): CallId {
  if (before !== undefined) throw new FrameError("a call has one id");
  const source = input.raw(hashBytes).slice();
  return { type: "sent", source, n: input.varint(), rawHash: source };
}

function writeId(out: ByteWriter, id: Exclude<CallId, SentId>): void {
  const hash = id.type === "key" ? id.id : id.client;
  // a shorter one would move all that follows it
  if (hash.length !== hashBytes || id.rawHash.length !== hashBytes)
    throw new RangeError(`an id of ${hash.length} and ${id.rawHash.length} bytes; both have ${hashBytes}`);
  out.u8(id.type === "key" ? keyTag : numberedTag);
  out.raw(hash);
  out.raw(id.rawHash);
  if (id.type === "key") {
    out.varint(id.keepMs);
  } else {
    out.varint(id.seq);
    out.varint(id.lowest);
  }
}

function readId(tag: number, input: ByteReader, before: CallId | undefined): CallId {
  if (before !== undefined) throw new FrameError("a call has one id");
  // a copy: the call outlives the frame that it came in
  const id = input.raw(hashBytes).slice();
  const rawHash = input.raw(hashBytes).slice();
  return tag === keyTag
    ? { type: "key", id, rawHash, keepMs: input.varint() }
    : { type: "numbered", client: id, rawHash, seq: input.varint(), lowest: input.varint() };
}
