// What the frames between nodes say: a call and its answer. Names stand in the subject, the rest where every frame has it.
import { defaultNamespace, sessionNameProblem, sessionToken } from "@voda/proto/session";
import { ByteReader, ByteWriter, DecodeError } from "@voda/stdx";
import {
  decodeInvocationMeta,
  encodeInvocationMeta,
  type FrameCursor,
  type FrameFields,
  packToken,
  unpackToken,
} from "../frame/index.ts";
import type { Invocation } from "../invocation.ts";
import type { CallKind } from "../lane/index.ts";

/** Numbers of the frames on `v.dp.<node>.<lane>`. */
export const frameKinds = { invoke: 1, end: 2, answer: 3, cancel: 4, wake: 5 } as const;

const callKinds = new Map<number, CallKind>(
  (["invoke", "end", "wake"] as const).map((kind) => [frameKinds[kind], kind]),
);

/** `undefined` when the frame is no call. */
export const callKindOf = (frame: FrameCursor): CallKind | undefined => callKinds.get(frame.kind);

/** What the owner tells beside the answer. */
export interface AnswerMeta {
  /** `ip:port` of the owner's ingress. */
  readonly hint?: string;
  /** For reading one's writes. */
  readonly token?: string;
}

const NOTHING = new Uint8Array(0);
const NO_TOKEN = new Uint8Array(16);

/** Slot and generation of the call at the caller, and the caller's process: an answer must name all three. */
export interface CallId {
  readonly slot: number;
  readonly generation: number;
  readonly process: number;
}

/** A frame with nothing but its kind and call. */
export function bareFrame(kind: number, id: CallId): FrameFields {
  return {
    kind,
    call: id.slot,
    activation: id.generation,
    turn: id.process,
    flags: 0,
    code: 0,
    deadlineMs: 0,
    token: NO_TOKEN,
    subject: NOTHING,
    meta: NOTHING,
    payload: NOTHING,
  };
}

export const callIdOf = (frame: FrameCursor): CallId => ({
  slot: frame.call,
  generation: frame.activation,
  process: frame.turn,
});

export function callFrame(kind: number, id: CallId, invocation: Invocation): FrameFields {
  const { namespace, agent, key } = invocation.name;
  const subject = new ByteWriter(64);
  for (const text of [namespace === defaultNamespace ? "" : namespace, agent, key, invocation.method])
    subject.text(text);
  return {
    ...bareFrame(kind, id),
    deadlineMs: invocation.deadlineMs,
    token: packToken(invocation.token),
    subject: subject.finish(),
    meta: encodeInvocationMeta(invocation),
    payload: invocation.body,
  };
}

/** Copies what it returns. @throws DecodeError, FrameError */
export function readCall(frame: FrameCursor): Invocation {
  const reader = new ByteReader(frame.subject());
  const name = { namespace: reader.text() || defaultNamespace, agent: reader.text(), key: reader.text() };
  const method = reader.text();
  reader.end();
  const problem = sessionNameProblem(name);
  if (problem !== undefined) throw new DecodeError(`a call from another node: ${problem}`);
  const token = unpackToken(frame.token());
  if (token !== sessionToken(name))
    throw new DecodeError(`a call from another node: token ${token} is not that of its name`);
  const { deadlineMs } = frame;
  return {
    name,
    token,
    method,
    body: frame.payload().slice(),
    deadlineMs,
    ...decodeInvocationMeta(frame.meta()),
  };
}

export function encodeAnswerMeta(meta: AnswerMeta): Uint8Array {
  const writer = new ByteWriter(64);
  writer.text(meta.hint ?? "");
  writer.text(meta.token ?? "");
  return writer.finish();
}

/** @throws DecodeError */
export function decodeAnswerMeta(bytes: Uint8Array): AnswerMeta {
  const reader = new ByteReader(bytes);
  const [hint, token] = [reader.text(), reader.text()];
  reader.end();
  return { ...(hint !== "" && { hint }), ...(token !== "" && { token }) };
}
