// What the I/O thread and a worker say to each other, as frames in a ring. Bytes that leave the ring are copied: its slots are reused.
import { unreachable } from "@voda/stdx";
import {
  decodeFailure,
  encodeFailure,
  type FrameCursor,
  FrameError,
  type FrameFields,
} from "../frame/index.ts";
import type { Content, Failure } from "../invocation.ts";
import type { TurnMessage } from "../turn/index.ts";
import { decodeWord, encodeWord } from "./words.ts";

/** Between two looks at a thread; its own beats come twice as often. */
export const pulseMs = 500;

/** A call as it comes into the worker. */
export interface RunCall {
  readonly call: number;
  readonly method: string;
  readonly readonly: boolean;
  readonly content: Content;
  readonly deadlineMs: number;
  readonly caller: string;
  readonly body: Uint8Array;
}

export type ToWorker =
  /** A session comes into memory: its pages and deltas follow, then `opened`. `origin` names the activation in deltas. */
  | {
      readonly type: "open";
      readonly activation: number;
      readonly agent: string;
      readonly key: string;
      readonly origin: number;
    }
  | { readonly type: "page"; readonly activation: number; readonly bytes: Uint8Array }
  | { readonly type: "delta"; readonly activation: number; readonly bytes: Uint8Array }
  | { readonly type: "opened"; readonly activation: number }
  | { readonly type: "run"; readonly activation: number; readonly run: RunCall }
  | {
      readonly type: "cancel";
      readonly activation: number;
      readonly call: number;
      readonly why: "deadline" | "caller";
    }
  | { readonly type: "cut"; readonly activation: number }
  | { readonly type: "close"; readonly activation: number };

export type FromWorker =
  | TurnMessage
  /** One page of the snapshot that a `cut` closes. */
  | { readonly type: "cut_page"; readonly activation: number; readonly bytes: Uint8Array }
  | { readonly type: "cut"; readonly activation: number; readonly after: number }
  /** The session's state does not load: no call of it can run under this revision. */
  | { readonly type: "open_failed"; readonly activation: number; readonly failure: Failure }
  | { readonly type: "log"; readonly level: LogLevel; readonly line: string };

/** What an agent logs, as JSON in `line`. */
export interface LogEntry {
  readonly agent: string;
  readonly key: string;
  readonly message: string;
  readonly fields: object;
}

export type LogLevel = "debug" | "info" | "warn" | "error";

const kinds = {
  open: 1,
  page: 2,
  delta: 3,
  opened: 4,
  run: 5,
  cancel: 6,
  cut: 7,
  close: 8,
  turned: 16,
  failed: 17,
  read: 18,
  dropped: 19,
  cut_page: 20,
  cut_done: 21,
  open_failed: 22,
  log: 23,
} as const;
const READONLY = 1;
const PROTO = 2;
const levels: readonly LogLevel[] = ["debug", "info", "warn", "error"];
const reasons = ["deadline", "caller"] as const;

const utf8 = new TextEncoder();
const decoder = new TextDecoder();
const NOTHING = new Uint8Array(0);
const NO_TOKEN = new Uint8Array(16);
const empty: FrameFields = {
  kind: 0,
  flags: 0,
  code: 0,
  call: 0,
  activation: 0,
  turn: 0,
  deadlineMs: 0,
  token: NO_TOKEN,
  subject: NOTHING,
  meta: NOTHING,
  payload: NOTHING,
};

export function toWorkerFrame(message: ToWorker): FrameFields {
  const { activation } = message;
  switch (message.type) {
    case "open":
      return {
        ...empty,
        kind: kinds.open,
        activation,
        call: message.origin,
        subject: utf8.encode(message.agent),
        meta: utf8.encode(message.key),
      };
    case "page":
    case "delta":
      return { ...empty, kind: kinds[message.type], activation, payload: message.bytes };
    case "opened":
    case "cut":
    case "close":
      return { ...empty, kind: kinds[message.type], activation };
    case "cancel":
      return {
        ...empty,
        kind: kinds.cancel,
        activation,
        call: message.call,
        code: reasons.indexOf(message.why),
      };
    case "run": {
      const { run } = message;
      return {
        ...empty,
        kind: kinds.run,
        flags: (run.readonly ? READONLY : 0) | (run.content === "proto" ? PROTO : 0),
        activation,
        call: run.call,
        deadlineMs: run.deadlineMs,
        subject: encodeWord(run.method),
        meta: encodeWord(run.caller),
        payload: run.body,
      };
    }
    default:
      return unreachable(message);
  }
}

export function readToWorker(frame: FrameCursor): ToWorker {
  const { activation } = frame;
  switch (frame.kind) {
    case kinds.open:
      return {
        type: "open",
        activation,
        agent: text(frame.subject()),
        key: text(frame.meta()),
        origin: frame.call,
      };
    case kinds.page:
      return { type: "page", activation, bytes: frame.payloadCopy() };
    case kinds.delta:
      return { type: "delta", activation, bytes: frame.payloadCopy() };
    case kinds.opened:
      return { type: "opened", activation };
    case kinds.cut:
      return { type: "cut", activation };
    case kinds.close:
      return { type: "close", activation };
    case kinds.cancel:
      return { type: "cancel", activation, call: frame.call, why: abandonReason(frame.code) };
    case kinds.run:
      return {
        type: "run",
        activation,
        run: {
          call: frame.call,
          method: decodeWord(frame.subject()),
          readonly: (frame.flags & READONLY) !== 0,
          content: (frame.flags & PROTO) === 0 ? "json" : "proto",
          deadlineMs: frame.deadlineMs,
          caller: decodeWord(frame.meta()),
          body: frame.payloadCopy(),
        },
      };
    default:
      throw new FrameError(`frame of kind ${frame.kind} is nothing for a worker`);
  }
}

export function fromWorkerFrame(message: FromWorker): FrameFields {
  switch (message.type) {
    case "turned": {
      const { activation, call, turn, delta, answer } = message;
      return { ...empty, kind: kinds.turned, activation, call, turn, meta: delta, payload: answer };
    }
    case "failed":
    case "read": {
      const { activation, call, after, answer } = message;
      return { ...empty, kind: kinds[message.type], activation, call, turn: after, payload: answer };
    }
    case "dropped":
      return {
        ...empty,
        kind: kinds.dropped,
        activation: message.activation,
        call: message.call,
        code: reasons.indexOf(message.why),
      };
    case "cut_page":
      return { ...empty, kind: kinds.cut_page, activation: message.activation, payload: message.bytes };
    case "cut":
      return { ...empty, kind: kinds.cut_done, activation: message.activation, turn: message.after };
    case "open_failed":
      return {
        ...empty,
        kind: kinds.open_failed,
        activation: message.activation,
        payload: encodeFailure(message.failure),
      };
    case "log":
      return {
        ...empty,
        kind: kinds.log,
        code: levels.indexOf(message.level),
        payload: utf8.encode(message.line),
      };
    default:
      return unreachable(message);
  }
}

export function readFromWorker(frame: FrameCursor): FromWorker {
  const { activation, call, turn } = frame;
  switch (frame.kind) {
    case kinds.turned:
      return { type: "turned", activation, call, turn, delta: frame.metaCopy(), answer: frame.payloadCopy() };
    case kinds.failed:
      return { type: "failed", activation, call, after: turn, answer: frame.payloadCopy() };
    case kinds.read:
      return { type: "read", activation, call, after: turn, answer: frame.payloadCopy() };
    case kinds.dropped:
      return { type: "dropped", activation, call, why: abandonReason(frame.code) };
    case kinds.cut_page:
      return { type: "cut_page", activation, bytes: frame.payloadCopy() };
    case kinds.cut_done:
      return { type: "cut", activation, after: turn };
    case kinds.open_failed:
      return { type: "open_failed", activation, failure: decodeFailure(frame.payload()) };
    case kinds.log:
      return { type: "log", level: levels[frame.code] ?? "error", line: text(frame.payload()) };
    default:
      throw new FrameError(`frame of kind ${frame.kind} is nothing from a worker`);
  }
}

/** A TextDecoder refuses shared memory. */
function text(bytes: Uint8Array): string {
  return decoder.decode(bytes.slice());
}

function abandonReason(code: number): "deadline" | "caller" {
  return reasons[code] ?? "caller";
}
