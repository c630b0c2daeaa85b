// What a worker says to the I/O thread.
import type { LogLevel } from "@voda/proto/log-line";
import { bodyBytesMax, pageBytesMax, turnBytesMax } from "@voda/proto/wire";
import { systemClock } from "@voda/stdx";
import {
  type AsideMessage,
  abandonCode,
  abandonReasonOf,
  decodeCall,
  decodeDrawn,
  decodeFailure,
  decodeSends,
  encodeCall,
  encodeDrawn,
  encodeFailure,
  encodeSends,
  type Failure,
  noSends,
  type Send,
  type StepDoneMessage,
  type StepMessage,
} from "../call/index.ts";
import { draft, type FrameCursor, FrameDraft, FrameError } from "../frame/index.ts";
import type { TurnMessage } from "../turn/index.ts";
import { direction, type MessageCodecs, readPart } from "./message.ts";

/** About one activation. */
export type SessionMessage =
  | TurnMessage
  | AsideMessage
  | StepMessage
  | StepDoneMessage
  /** One page of the snapshot that a `cut` closes. */
  | { readonly type: "cut_page"; readonly activation: number; readonly bytes: Uint8Array }
  | { readonly type: "cut"; readonly activation: number; readonly after: number }
  /** The session's state does not load: no call of it can run under this revision. */
  | { readonly type: "open_failed"; readonly activation: number; readonly failure: Failure }
  /** Answer to `identify`. */
  | {
      readonly type: "identified";
      readonly activation: number;
      readonly call: number;
      readonly canonicalHash: Uint8Array | undefined;
    };

/**
 * All that a worker says; numbers of the codecs are those of frames, and never used again for something else.
 */
export type FromWorker =
  | SessionMessage
  | { readonly type: "log"; readonly level: LogLevel; readonly line: string }
  /** The bundle runs; `line` is the JSON of the definitions of its agents. */
  | { readonly type: "loaded"; readonly line: string }
  /** It does not: what it threw, for a person. The thread ends. */
  | { readonly type: "not_loaded"; readonly line: string };

/** A line of the log, as JSON in `line`. */
export interface LogEntry {
  /** Agent, key, method, call and trace, as far as they are known. */
  readonly speaker: { readonly agent?: string | undefined };
  readonly message: string;
  /** The node's own words. */
  readonly facts: object;
  /** The agent's. */
  readonly fields?: object;
}

/** Frames carry their places: a new one goes to the end. */
const levels: readonly LogLevel[] = ["debug", "info", "warn", "error"];
const hashBytes = 16;
const utf8 = new TextEncoder();
/** A byte order mark is a character like any other: without it two names would be one. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

const codecs: MessageCodecs<FromWorker> = {
  // The delta may be empty, so the flag and not the length says whether a hash is before it.
  turned: {
    number: 1,
    encode({ activation, call, turn, delta, answer, canonicalHash, sends }) {
      const frame = new FrameDraft();
      frame.activation = activation;
      frame.call = call;
      frame.turn = turn;
      frame.code = (canonicalHash === undefined ? 0 : hashed) | (sends.length === 0 ? 0 : sending);
      const rest = sends.length === 0 ? delta : joined(sized(encodeSends(sends)), delta);
      frame.meta = canonicalHash === undefined ? rest : joined(canonicalHash, rest);
      frame.payload = answer;
      return frame;
    },
    decode(frame) {
      const { activation, call, turn, code } = frame;
      const meta = frame.metaCopy();
      const answer = frame.payloadCopy();
      const isHashed = (code & hashed) !== 0;
      const canonicalHash = isHashed ? hashOf(meta.slice(0, hashBytes)) : undefined;
      const rest = isHashed ? meta.subarray(hashBytes) : meta;
      const { sends, delta } = (code & sending) === 0 ? { sends: noSends, delta: rest } : splitSends(rest);
      checkSize("changes and answer of a turn", delta.length + answer.length, turnBytesMax);
      return { type: "turned", activation, call, turn, delta, answer, canonicalHash, sends };
    },
  },
  // Of a call without a turn of its own `turn` says which one it has seen: its answer waits until that is
  // stored.
  failed: {
    number: 2,
    encode: outputFrame,
    decode(frame) {
      const { activation, call, turn: after } = frame;
      return { type: "failed", activation, call, after, answer: answerOf(frame) };
    },
  },
  read: {
    number: 3,
    encode: outputFrame,
    decode(frame) {
      const { activation, call, turn: after } = frame;
      return { type: "read", activation, call, after, answer: answerOf(frame) };
    },
  },
  dropped: {
    number: 4,
    encode: ({ activation, call, why, hasBegun }) =>
      draft({ activation, call, code: abandonCode(why), flags: Number(hasBegun) }),
    decode: ({ activation, call, code, flags }) => ({
      type: "dropped",
      activation,
      call,
      why: abandonReasonOf(code),
      hasBegun: flags !== 0,
    }),
  },
  cut_page: {
    number: 5,
    encode: ({ activation, bytes }) => draft({ activation, payload: bytes }),
    decode(frame) {
      const bytes = frame.payloadCopy();
      checkSize("a page", bytes.length, pageBytesMax);
      return { type: "cut_page", activation: frame.activation, bytes };
    },
  },
  cut: {
    number: 6,
    encode: ({ activation, after }) => draft({ activation, turn: after }),
    decode: ({ activation, turn }) => ({ type: "cut", activation, after: turn }),
  },
  open_failed: {
    number: 7,
    encode: ({ activation, failure }) => draft({ activation, payload: encodeFailure(failure) }),
    decode: (frame) => ({
      type: "open_failed",
      activation: frame.activation,
      failure: decodeFailure(frame.payload()),
    }),
  },
  log: {
    number: 8,
    encode: ({ level, line }) => draft({ code: levels.indexOf(level), payload: utf8.encode(line) }),
    decode: (frame) => ({
      type: "log",
      level: levels[frame.code] ?? "error",
      line: decoder.decode(frame.payloadCopy()),
    }),
  },
  identified: {
    number: 9,
    encode: ({ activation, call, canonicalHash }) =>
      draft({
        activation,
        call,
        ...(canonicalHash !== undefined && { payload: canonicalHash }),
      }),
    decode(frame) {
      const bytes = frame.payloadCopy();
      const canonicalHash = bytes.length === 0 ? undefined : hashOf(bytes);
      return { type: "identified", activation: frame.activation, call: frame.call, canonicalHash };
    },
  },
  // It has no number yet: the reactor gives it one.
  ask: {
    number: 12,
    encode: ({ activation, by, askId, request }) =>
      Object.assign(encodeCall(request, systemClock.monotonicMs()), { activation, call: by, turn: askId }),
    decode(frame) {
      const { activation, call: by, turn: askId } = frame;
      const request = decodeCall(frame, 0, systemClock.monotonicMs());
      checkSize("the input of an ask", request.body.length, bodyBytesMax);
      const { type } = request.head;
      if (type !== "invoke") throw new FrameError(`an ask of type ${type}`);
      return { type: "ask", activation, by, askId, request };
    },
  },
  check: {
    number: 13,
    encode: ({ activation, askId, agent, method }) =>
      draft({ activation, turn: askId, subject: utf8.encode(method), meta: utf8.encode(agent) }),
    decode: (frame) => ({
      type: "check",
      activation: frame.activation,
      askId: frame.turn,
      agent: decoder.decode(frame.metaCopy()),
      method: decoder.decode(frame.subject().slice()),
    }),
  },
  step: {
    number: 16,
    encode: ({ activation, by, step, name, canonicalHash }) =>
      draft({
        activation,
        call: by,
        turn: step,
        meta: utf8.encode(name),
        ...(canonicalHash !== undefined && { payload: canonicalHash }),
      }),
    decode(frame) {
      const { activation, call: by, turn: step } = frame;
      const hash = frame.payloadCopy();
      const canonicalHash = hash.length === 0 ? undefined : hashOf(hash);
      return { type: "step", activation, by, step, name: decoder.decode(frame.metaCopy()), canonicalHash };
    },
  },
  step_done: {
    number: 17,
    encode: ({ activation, step, result, drawn }) =>
      draft({ activation, turn: step, meta: encodeDrawn(drawn), payload: result }),
    decode: (frame) => ({
      type: "step_done",
      activation: frame.activation,
      step: frame.turn,
      result: frame.payloadCopy(),
      drawn: readPart("what a turn drew", () => decodeDrawn(frame.metaCopy())),
    }),
  },
  own: {
    number: 18,
    encode: ({ activation, askId, method, body }) =>
      draft({ activation, turn: askId, subject: utf8.encode(method), payload: body }),
    decode: (frame) => ({
      type: "own",
      activation: frame.activation,
      askId: frame.turn,
      method: decoder.decode(frame.subject().slice()),
      body: frame.payloadCopy(),
    }),
  },
  loaded: lineCodec("loaded", 10),
  not_loaded: lineCodec("not_loaded", 11),
};

/** How `failed` and `read` lie in a frame: both tell what was seen after a turn, and change nothing. */
type Output = Extract<TurnMessage, { readonly type: "failed" | "read" }>;
function outputFrame({ activation, call, after, answer }: Output): FrameDraft {
  const frame = new FrameDraft();
  frame.activation = activation;
  frame.call = call;
  frame.turn = after;
  frame.payload = answer;
  return frame;
}

function lineCodec<T extends "loaded" | "not_loaded">(type: T, number: number) {
  return {
    number,
    encode: ({ line }: { readonly line: string }) => draft({ payload: utf8.encode(line) }),
    decode: (frame: FrameCursor) => ({ type, line: decoder.decode(frame.payloadCopy()) }),
  };
}

/** Bits of the code of `turned`. */
const hashed = 1;
const sending = 2;

const lengthBytes = 4;

/** Its length before it. */
function sized(bytes: Uint8Array): Uint8Array {
  const all = new Uint8Array(lengthBytes + bytes.length);
  new DataView(all.buffer).setUint32(0, bytes.length, true);
  all.set(bytes, lengthBytes);
  return all;
}

/** @throws FrameError */
function splitSends(bytes: Uint8Array): { readonly sends: readonly Send[]; readonly delta: Uint8Array } {
  if (bytes.length < lengthBytes) throw new FrameError("a turn that sends, without its messages");
  const end = lengthBytes + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const sends = readPart("messages of a turn", () => decodeSends(bytes.subarray(lengthBytes, end)));
  return { sends, delta: bytes.subarray(end) };
}

function answerOf(frame: FrameCursor): Uint8Array {
  const answer = frame.payloadCopy();
  checkSize("an answer", answer.length, turnBytesMax);
  return answer;
}

/** The store and other nodes take no more, and would fail this node. @throws FrameError */
function checkSize(what: string, bytes: number, bytesMax: number): void {
  if (bytes > bytesMax) throw new FrameError(`${what} of ${bytes} bytes; its bound is ${bytesMax}`);
}

/** A record keeps it: one of another length would be found there. @throws FrameError */
function hashOf(bytes: Uint8Array): Uint8Array {
  if (bytes.length !== hashBytes)
    throw new FrameError(`a hash of ${bytes.length} bytes; it has ${hashBytes}`);
  return bytes;
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

/** Written by the worker, read by the I/O thread. */
export const fromWorker = direction<FromWorker>(codecs);
