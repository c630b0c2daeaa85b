// How a handler's end without an answer is told: to the caller what the caller may know, to the log the rest.
import { grpcCodes } from "@voda/proto/errors";
import type { LogLevel } from "@voda/proto/log-line";
import { turnBytesMax } from "@voda/proto/wire";
import { RefusedValueError, TooLargeError } from "@voda/state";
import { BrokenSchemaError, isRefusedInput, retryAfterMsMax, VodaError } from "voda/definition";
import {
  type CallHead,
  decodeAnswer,
  encodeAnswer,
  type Failed,
  type Failure,
  fail,
  isFinalCode,
} from "../call/index.ts";
import { threadAnswersBytesMax } from "../threads/index.ts";
import { BadInput } from "./convert.ts";
import { FailedAsk } from "./failed-ask.ts";
import { describeThrown, kindOf, textOf } from "./thrown.ts";

/** What is told to whom. */
export interface Ending {
  readonly answer: Failed;
  readonly level: LogLevel;
  /** For the log. */
  readonly message: string;
  readonly facts: object;
}

/** In place of the input of a handler that takes none: then nothing was left out. */
export const noInput = Symbol("no input");

/** Keys of an input that are named to its sender. */
const keysNamedMax = 8;

/** Whose end it is, for the log and for the caller. */
interface Ended {
  readonly who: string;
  /** The same in a sentence. */
  readonly told: string;
  /** Where the log has it. */
  readonly logged: string;
}

/**
 * Never throws, whatever was thrown. `logged`: where the log has it, for the caller. `name`: of what has
 * ended, if not a handler.
 */
export function endingOf(error: unknown, input: unknown, logged: string, name?: string): Ending {
  const ended: Ended = { who: name ?? "handler", told: name ?? "the handler", logged };
  try {
    if (error instanceof BadInput) return refused(fail("bad_request", error.message));
    if (error instanceof TooLargeError) return refused(fail("too_large", error.message));
    if (VodaError.is(error)) return thrownOnPurpose(error, ended);
    if (error instanceof BrokenSchemaError) return ofSchema(error, logged);
    if (error instanceof RefusedValueError && input !== noInput) return ofRefusedValue(error, input);
    if (error instanceof TypeError || error instanceof RangeError) return ofWrongShape(error, input, ended);
  } catch {
    // it cannot even be asked what it is: a proxy that was revoked, or one whose traps throw
  }
  return thrown(error, ended);
}

function refused(answer: Failed): Ending {
  const { code, reason, message } = answer.failure;
  return { answer, level: "info", message: `call refused: ${message}`, facts: { code, reason } };
}

/**
 * Handlers do not check their input. A value of it that `ctx.state` does not take is its sender's mistake,
 * told as such, and so is an input that is left out.
 */
function ofRefusedValue(error: RefusedValueError, input: unknown): Ending {
  const answer = fail("bad_request", `${error.message}; ${inputWords(input)}`);
  const { code, reason } = answer.failure;
  const { at } = describeThrown(error);
  return { answer, level: "info", message: `call refused: ${error.message}`, facts: { code, reason, at } };
}

/** Nothing of it is the handler's, which has not begun, or the sender's. */
function ofSchema(error: BrokenSchemaError, logged: string): Ending {
  const { message, stack, at } = describeThrown(error);
  const thrownKind = error.cause === undefined ? "" : ` ${article(kindOf(error.cause))}`;
  return {
    answer: fail("internal", `${error.message}${thrownKind}; ${logged}`),
    level: "error",
    message: `schema failed: ${message}`,
    facts: { at, stack },
  };
}

/** May be the handler's own mistake or one of the sender's, who is only shown what was sent. */
function ofWrongShape(error: TypeError | RangeError, input: unknown, ended: Ended): Ending {
  const ending = thrown(error, ended);
  const { message } = ending.answer.failure;
  if (input === noInput) return ending;
  return { ...ending, answer: fail("internal", `${message}; ${inputWords(input)}`) };
}

function thrown(error: unknown, { who, told, logged }: Ended): Ending {
  const { message, stack, at } = describeThrown(error);
  return {
    answer: fail("internal", `${told} threw ${article(kindOf(error))}; ${logged}`),
    level: "error",
    message: `${who} failed: ${message}${frozenWords(message)}`,
    facts: { at, stack },
  };
}

/** The engine's words for a write to a frozen value, which is mostly one of the state. */
function frozenWords(message: string): string {
  return /: Cannot (add|assign to read only|delete) property /.test(message)
    ? "; what ctx.state gives is frozen: assign a register anew, as in ctx.state.tags = [...ctx.state.tags, tag], " +
        "and write to other fields by their methods, as in ctx.state.entries.append(entry)"
    : "";
}

function article(kind: string): string {
  if (/^a value of type [a-z]+$/.test(kind)) return `${kind}, not an Error`;
  const name = /^[A-Za-z]\w{0,63}$/.test(kind) ? kind : "Error";
  return `${/^[AEIOU]/i.test(name) ? "an" : "a"} ${name}`;
}

function inputWords(input: unknown): string {
  return `the input was ${shapeOf(input)}`;
}

/** Of JSON, in words: enough for its sender to see that it is not what the handler takes. */
function shapeOf(input: unknown): string {
  if (input === undefined) return "absent";
  if (input === null) return "null";
  if (Array.isArray(input)) return `an array of ${input.length}`;
  if (typeof input !== "object") return `a ${typeof input}`;
  const keys = Object.keys(input);
  const named = keys.slice(0, keysNamedMax).join(", ");
  return keys.length === 0 ? "an empty object" : `an object with ${named}`;
}

/** An agent's own error may be of other types than it says: its message reaches the caller all the same. */
function thrownOnPurpose(error: VodaError, { who }: Ended): Ending {
  const { reason, message, retryAfterMs } = error;
  const code = Object.hasOwn(grpcCodes, error.code) ? error.code : undefined;
  const failure: Failure = {
    code: code ?? "unknown",
    reason: whole(reason),
    message: whole(message),
    ...(isRetryAfter(retryAfterMs) && { retryAfterMs }),
    metadata: Object.fromEntries(
      Object.entries(error.details ?? {}).map(([name, value]) => [name, whole(value)]),
    ),
    // a schema's refusal is told as voda's, wherever it was asked
    ...(!FailedAsk.isOfVoda(error) && !isRefusedInput(error) && { by: "handler" }),
  };
  const { at, stack } = describeThrown(error);
  const answer: Failed = { ok: false, failure };
  if (code !== undefined) {
    const way = FailedAsk.wayOf(error);
    const facts = { code, reason: failure.reason, at, ...way };
    if (isRefusedInput(error))
      return { answer, level: "info", message: `input refused: ${failure.message}`, facts };
    const said = `${who} threw ${kindOf(error)}: ${failure.message}`;
    if (!FailedAsk.isOfVoda(error)) return { answer, level: "info", message: said, facts };
    const what = way.sent === undefined ? "asked" : "sent";
    return { answer, level: "warn", message: `${who} failed by what it ${what}: ${failure.message}`, facts };
  }
  const known = Object.keys(grpcCodes).join(", ");
  const what = `VodaError has the code ${textOf(() => JSON.stringify(error.code))}; callers get unknown. Codes are: ${known}`;
  return {
    answer,
    level: "error",
    message: `${what}. Its message: ${failure.message}`,
    facts: { at, stack },
  };
}

function isRetryAfter(ms: unknown): ms is number {
  return typeof ms === "number" && ms >= 0 && ms <= retryAfterMsMax;
}

function whole(value: unknown): string {
  return textOf(() => String(value), Number.POSITIVE_INFINITY);
}

/**
 * Of a call that has the result of a step: its handler says that the same call fails again, so its steps
 * would be kept in vain until its id is forgotten. A message that fails so is sealed.
 */
export const isOutcome = ({ id }: CallHead, { failure: { code, by } }: Failed): boolean =>
  id !== undefined && id.type !== "sent" && by === "handler" && isFinalCode(code);

/** An answer that is too large, or that does not come back as it went, is another failure. */
export function encodeFailed(answer: Failed): Uint8Array {
  try {
    const encoded = encodeAnswer(answer);
    decodeAnswer(encoded);
    if (encoded.length <= turnBytesMax) return encoded;
    return encodeAnswer(
      fail("too_large", `error of ${encoded.length} bytes exceeds turnBytesMax ${turnBytesMax}`),
    );
  } catch {
    return encodeAnswer(fail("internal", "the handler's error cannot be encoded; the node's log has it"));
  }
}

/** Of an answer for which there is no room: the host takes some within milliseconds. */
const retryAfterMs = 100;

/** Before anything is committed: what is refused has changed nothing. */
export function answerProblem(bytes: number, waitingBytes: number): Failed | undefined {
  if (bytes > turnBytesMax) {
    const words = `answer of ${bytes} bytes exceeds turnBytesMax ${turnBytesMax}`;
    return fail("too_large", `${words}: answer in parts, by calls that each name theirs`);
  }
  if (waitingBytes + bytes <= threadAnswersBytesMax) return undefined;
  const words = `answers of this thread that wait take ${waitingBytes} bytes; with one of ${bytes} they exceed`;
  return fail("queue_full", `${words} threadAnswersBytesMax ${threadAnswersBytesMax}: retry later`, {
    retryAfterMs,
  });
}
