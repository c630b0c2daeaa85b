// One activation in its worker: a mailbox, one running turn, readers beside it. Pure: the host runs handlers
// and holds the state, and `rounds` says whose call begins next.
import { assert } from "@voda/stdx";
import type { AbandonReason, CallHead } from "../call/index.ts";
import type { TurnEffect, TurnEvent } from "./types.ts";

/** Handlers of readonly calls that run at once; more wait. */
export const readersMax = 64;
/** What a call that waits takes beside its body. */
const callBytes = 512;

interface Reader {
  readonly head: CallHead;
  /**
   * Turn that was applied last when it started: it sees the state after that turn until it ends, whatever is
   * applied meanwhile.
   */
  readonly startedAt: number;
}

/** One activation's mailbox. `closed` is final: what comes later has no effect. */
export interface Turn {
  readonly activation: number;
  /** Number of the last turn that took place. */
  turn: number;
  /** The writer. */
  running: CallHead | undefined;
  readonly mailbox: CallHead[];
  readonly readers: Map<number, Reader>;
  readonly waitingReaders: CallHead[];
  /** Of the calls that wait. */
  waitingBytes: number;
  closed: boolean;
}

/** Nothing runs; turns count from 1. */
export function openTurn(activation: number): Turn {
  return {
    activation,
    turn: 0,
    running: undefined,
    mailbox: [],
    readers: new Map(),
    waitingReaders: [],
    waitingBytes: 0,
    closed: false,
  };
}

/** A call waits from now on; it begins in `startNext`. */
export function queueCall(turn: Turn, head: CallHead): void {
  if (turn.closed) return;
  // readers never wait for the writer, nor it for them: they see the state before it
  (head.readonly ? turn.waitingReaders : turn.mailbox).push(head);
  turn.waitingBytes += waitingBytesOf(head);
}

/** What a call that waits takes of its thread's memory, roughly. */
const waitingBytesOf = ({ bytes }: CallHead): number => bytes + callBytes;

/** Whether a call may begin. */
export const mayStart = (turn: Turn): boolean => nextCall(turn) !== undefined;

/**
 * One call begins, if one may, in the order of their numbers. `nowMs`: monotonic milliseconds of this thread,
 * by which the deadlines of its calls count.
 */
export function startNext(turn: Turn, nowMs: number): TurnEffect[] {
  const out: TurnEffect[] = [];
  for (let head = nextCall(turn); head !== undefined; head = nextCall(turn)) {
    take(head.readonly ? turn.waitingReaders : turn.mailbox, head.number, turn);
    if (isLate(turn, head, nowMs, out)) continue;
    // what a reader sees is fixed here, and so is the turn that its answer must wait for in the gate
    if (head.readonly) turn.readers.set(head.number, { head, startedAt: turn.turn });
    else turn.running = head;
    out.push({ type: "start", call: head.number, readonly: head.readonly });
    break;
  }
  return out;
}

function nextCall(turn: Turn): CallHead | undefined {
  const writer = turn.running === undefined ? turn.mailbox[0] : undefined;
  const reader = turn.readers.size < readersMax ? turn.waitingReaders[0] : undefined;
  if (writer === undefined || reader === undefined) return writer ?? reader;
  return reader.number < writer.number ? reader : writer;
}

export function feedTurn(turn: Turn, event: TurnEvent): TurnEffect[] {
  const out: TurnEffect[] = [];
  if (turn.closed) return out;
  switch (event.type) {
    case "cancel":
      cancel(turn, event.call, event.why, out);
      break;
    case "succeeded":
    case "threw":
      finished(turn, event, out);
      break;
    case "cut":
      out.push({ type: "snapshot", after: turn.turn });
      break;
    case "close":
      close(turn, out);
      break;
  }
  return out;
}

/** A call whose deadline passed while it was queued is dropped before any work. */
function isLate(turn: Turn, head: CallHead, nowMs: number, out: TurnEffect[]): boolean {
  if (nowMs < head.deadlineMs) return false;
  out.push(dropped(turn, head.number, "deadline", false));
  return true;
}

function finished(turn: Turn, event: TurnEvent & { type: "succeeded" | "threw" }, out: TurnEffect[]): void {
  const reader = turn.readers.get(event.call);
  if (reader !== undefined) {
    turn.readers.delete(event.call);
    sayRead(turn, event, reader.startedAt, out);
  } else if (turn.running?.number === event.call) {
    turn.running = undefined;
    writerFinished(turn, event, out);
  }
  // else it was discarded before: nobody waits for how it ended
}

function writerFinished(
  turn: Turn,
  event: TurnEvent & { type: "succeeded" | "threw" },
  out: TurnEffect[],
): void {
  const { call, answer } = event;
  if (event.type === "threw") {
    out.push({ type: "discard", call });
    sayRead(turn, event, turn.turn, out);
    return;
  }
  // applied before it is said: the next turn starts from this state, long before the store has it
  turn.turn += 1;
  out.push({ type: "apply", call });
  out.push({
    type: "say",
    message: {
      type: "turned",
      activation: turn.activation,
      call,
      turn: turn.turn,
      delta: event.delta,
      answer,
      canonicalHash: event.canonicalHash,
      sends: event.sends,
    },
  });
}

/** An answer that tells what was read: of a reader, or the error of a failed turn. */
function sayRead(
  turn: Turn,
  event: TurnEvent & { type: "succeeded" | "threw" },
  after: number,
  out: TurnEffect[],
): void {
  const { call, answer } = event;
  const type = event.type === "threw" ? "failed" : "read";
  out.push({ type: "say", message: { type, activation: turn.activation, call, after, answer } });
}

function dropped({ activation }: Turn, call: number, why: AbandonReason, hasBegun: boolean): TurnEffect {
  return { type: "say", message: { type: "dropped", activation, call, why, hasBegun } };
}

function cancel(turn: Turn, call: number, why: AbandonReason, out: TurnEffect[]): void {
  // its handler has not begun: whoever else waits for it may have it run again
  if (take(turn.mailbox, call, turn) || take(turn.waitingReaders, call, turn)) {
    out.push(dropped(turn, call, why, false));
    return;
  }
  const isReader = turn.readers.has(call);
  if (!isReader && turn.running?.number !== call) return;
  out.push({ type: "abort", call, why });
  // a handler that does not heed its signal would hold the session for ever, whether its caller's time is
  // over or the caller went away
  out.push({ type: "discard", call });
  if (isReader) turn.readers.delete(call);
  else turn.running = undefined;
  out.push(dropped(turn, call, why, true));
}

function take(calls: CallHead[], number: number, turn: Turn): boolean {
  const at = calls.findIndex((head) => head.number === number);
  const head = calls[at];
  if (head === undefined) return false;
  calls.splice(at, 1);
  turn.waitingBytes -= waitingBytesOf(head);
  return true;
}

function close(turn: Turn, out: TurnEffect[]): void {
  assert(!turn.closed, "closed twice");
  turn.closed = true;
  const running = turn.running === undefined ? [] : [turn.running.number];
  for (const call of [...running, ...turn.readers.keys()]) {
    out.push({ type: "abort", call, why: "caller" });
    out.push({ type: "discard", call });
  }
  turn.running = undefined;
  turn.mailbox.length = 0;
  turn.readers.clear();
  turn.waitingReaders.length = 0;
  turn.waitingBytes = 0;
}
