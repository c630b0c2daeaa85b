// What the I/O thread says to a worker.
import { type SessionName } from "@voda/proto/session";
import { ByteReader, ByteWriter, systemClock } from "@voda/stdx";
import {
  type AbandonReason,
  type Answer,
  abandonCode,
  abandonReasonOf,
  decodeAnswer,
  decodeFailure,
  decodeRecalled,
  decodeSessionCall,
  encodeAnswer,
  encodeFailure,
  encodeRecalled,
  encodeSessionCall,
  type OutboxChange,
  type Recalled,
  type SessionCall,
  type StepAnswer,
} from "../call/index.ts";
import { draft, type FrameDraft, FrameError } from "../frame/index.ts";
import { direction, type MessageCodecs, readPart } from "./message.ts";

/** All that the I/O thread says to a worker, in the order in which lanes want it. */
export type ToWorker =
  /**
   * A session comes into memory: its pages and deltas follow, then `opened`. `epoch` names the activation in
   * deltas. `isReleased`: it was put to sleep before.
   */
  | {
      readonly type: "open";
      readonly activation: number;
      readonly name: SessionName;
      readonly epoch: number;
      readonly isReleased: boolean;
    }
  | { readonly type: "page"; readonly activation: number; readonly bytes: Uint8Array }
  | { readonly type: "delta"; readonly activation: number; readonly bytes: Uint8Array }
  | { readonly type: "opened"; readonly activation: number }
  | { readonly type: "run"; readonly activation: number; readonly call: SessionCall }
  | {
      readonly type: "cancel";
      readonly activation: number;
      readonly call: number;
      readonly why: AbandonReason;
    }
  /** Say what the call means; it does not run. */
  | { readonly type: "identify"; readonly activation: number; readonly call: SessionCall }
  /** The answer to what a handler asked. */
  | {
      readonly type: "ask_answered";
      readonly activation: number;
      readonly askId: number;
      readonly answer: Answer;
    }
  /** So much more, or less, of the session waits to be delivered, or due; what its turns send it knows. */
  | {
      readonly type: "outbox";
      readonly activation: number;
      readonly messages: number;
      readonly timers: number;
      readonly bytes: number;
    }
  /** What the call drew when it ran before; its `run` follows. */
  | {
      readonly type: "recall";
      readonly activation: number;
      readonly call: number;
      readonly recalled: Recalled;
    }
  /** What becomes of a step. */
  | {
      readonly type: "step_answered";
      readonly activation: number;
      readonly step: number;
      readonly answer: StepAnswer;
    }
  | { readonly type: "cut"; readonly activation: number }
  | { readonly type: "close"; readonly activation: number };

const codecs: MessageCodecs<ToWorker> = {
  open: {
    number: 1,
    encode: ({ activation, name, epoch, isReleased }) =>
      draft({ activation, turn: epoch, code: Number(isReleased), meta: encodeName(name) }),
    decode: (frame) => ({
      type: "open",
      activation: frame.activation,
      name: decodeName(frame.metaCopy()),
      epoch: frame.turn,
      isReleased: frame.code === 1,
    }),
  },
  page: {
    number: 2,
    encode: ({ activation, bytes }) => draft({ activation, payload: bytes }),
    decode: (frame) => ({ type: "page", activation: frame.activation, bytes: frame.payloadCopy() }),
  },
  delta: {
    number: 3,
    encode: ({ activation, bytes }) => draft({ activation, payload: bytes }),
    decode: (frame) => ({ type: "delta", activation: frame.activation, bytes: frame.payloadCopy() }),
  },
  opened: {
    number: 4,
    encode: ({ activation }) => draft({ activation }),
    decode: ({ activation }) => ({ type: "opened", activation }),
  },
  run: {
    number: 5,
    encode: ({ activation, call }) => callFrame(activation, call),
    decode: (frame) => ({
      type: "run",
      activation: frame.activation,
      call: decodeSessionCall(frame, systemClock.monotonicMs()),
    }),
  },
  cancel: {
    number: 6,
    encode: ({ activation, call, why }) => draft({ activation, call, code: abandonCode(why) }),
    decode: ({ activation, call, code }) => ({
      type: "cancel",
      activation,
      call,
      why: abandonReasonOf(code),
    }),
  },
  cut: {
    number: 7,
    encode: ({ activation }) => draft({ activation }),
    decode: ({ activation }) => ({ type: "cut", activation }),
  },
  close: {
    number: 8,
    encode: ({ activation }) => draft({ activation }),
    decode: ({ activation }) => ({ type: "close", activation }),
  },
  identify: {
    number: 9,
    encode: ({ activation, call }) => callFrame(activation, call),
    decode: (frame) => ({
      type: "identify",
      activation: frame.activation,
      call: decodeSessionCall(frame, systemClock.monotonicMs()),
    }),
  },
  ask_answered: {
    number: 10,
    encode: ({ activation, askId, answer }) =>
      draft({ activation, turn: askId, payload: encodeAnswer(answer) }),
    decode: (frame) => ({
      type: "ask_answered",
      activation: frame.activation,
      askId: frame.turn,
      answer: decodeAnswer(frame.payloadCopy()),
    }),
  },
  outbox: {
    number: 11,
    encode: ({ activation, ...change }) => draft({ activation, payload: changeBytes(change) }),
    decode: (frame) => ({
      type: "outbox",
      activation: frame.activation,
      ...readPart("what has become of messages", () => changeOf(frame.payloadCopy())),
    }),
  },
  recall: {
    number: 14,
    encode: ({ activation, call, recalled }) =>
      draft({ activation, call, payload: encodeRecalled(recalled) }),
    decode: (frame) => ({
      type: "recall",
      activation: frame.activation,
      call: frame.call,
      recalled: readPart("what a turn drew", () => decodeRecalled(frame.payloadCopy())),
    }),
  },
  step_answered: {
    number: 15,
    encode: ({ activation, step, answer }) =>
      draft({ activation, turn: step, code: stepWays.indexOf(answer.type), payload: stepBytes(answer) }),
    decode: (frame) => ({
      type: "step_answered",
      activation: frame.activation,
      step: frame.turn,
      answer: stepAnswer(frame.code, frame.payloadCopy()),
    }),
  },
};

const stepWays: readonly StepAnswer["type"][] = ["begin", "result", "refused", "ended"];

function stepBytes(answer: StepAnswer): Uint8Array {
  if (answer.type === "begin") return answer.idempotencyKey;
  return answer.type === "result" ? answer.result : encodeFailure(answer.failure);
}

function stepAnswer(code: number, bytes: Uint8Array): StepAnswer {
  const type = stepWays[code];
  if (type === undefined) throw new FrameError(`answer to a step of unknown way ${code}`);
  if (type === "begin") return { type, idempotencyKey: bytes };
  return type === "result" ? { type, result: bytes } : { type, failure: decodeFailure(bytes) };
}

/** Numbers of a frame name calls, activations and turns, and have no sign: these stand in its payload. */

function changeBytes({ messages, timers, bytes }: OutboxChange): Uint8Array {
  const out = new ByteWriter(16);
  // the last bit is the sign
  for (const number of [messages, timers, bytes]) out.varint(number < 0 ? -2 * number - 1 : 2 * number);
  return out.finish();
}

/** @throws DecodeError */
function changeOf(bytes: Uint8Array): OutboxChange {
  const input = new ByteReader(bytes);
  const signed = (): number => {
    const number = input.varint();
    return number % 2 === 0 ? number / 2 : -(number + 1) / 2;
  };
  const change = { messages: signed(), timers: signed(), bytes: signed() };
  input.end();
  return change;
}

function callFrame(activation: number, call: SessionCall): FrameDraft {
  const frame = encodeSessionCall(call, systemClock.monotonicMs());
  frame.activation = activation;
  return frame;
}

/** Written by the I/O thread, read by the worker. Deadlines travel as what is left of them. */
export const toWorker = direction<ToWorker>(codecs);

function encodeName({ namespace, agent, key }: SessionName): Uint8Array {
  const out = new ByteWriter(64);
  out.text(namespace);
  out.text(agent);
  out.text(key);
  return out.finish();
}

function decodeName(bytes: Uint8Array): SessionName {
  const input = new ByteReader(bytes);
  const name = { namespace: input.text(), agent: input.text(), key: input.text() };
  input.end();
  return name;
}
