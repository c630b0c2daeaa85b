// One activation in its worker: a mailbox, one running turn, readers beside it. Pure: the host runs handlers and holds the state.
import { assert } from "@voda/stdx";
import type { AbandonReason, Job, TurnEffect, TurnEvent } from "./types.ts";

/** Handlers of readonly calls that run at once; more wait. */
export const readersMax = 64;

interface Reader {
  readonly job: Job;
  /** Turn that was applied last when it started: it sees the state after that turn until it ends, whatever is applied meanwhile. */
  readonly startedAt: number;
}

export interface Turn {
  readonly activation: number;
  /** Number of the last turn that took place. */
  turn: number;
  /** The writer. */
  running: Job | undefined;
  readonly mailbox: Job[];
  readonly readers: Map<number, Reader>;
  readonly waitingReaders: Job[];
  closed: boolean;
}

export function openTurn(activation: number): Turn {
  return {
    activation,
    turn: 0,
    running: undefined,
    mailbox: [],
    readers: new Map(),
    waitingReaders: [],
    closed: false,
  };
}

/** `wallMs`: milliseconds since 1970, now. */
export function stepTurn(turn: Turn, event: TurnEvent, wallMs: number): TurnEffect[] {
  const out: TurnEffect[] = [];
  if (turn.closed) return out;
  switch (event.type) {
    case "run":
      (event.job.readonly ? turn.waitingReaders : turn.mailbox).push(event.job);
      break;
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
      return out;
  }
  startNext(turn, wallMs, out);
  return out;
}

function startNext(turn: Turn, wallMs: number, out: TurnEffect[]): void {
  while (turn.running === undefined) {
    const job = turn.mailbox.shift();
    if (job === undefined) break;
    if (isLate(turn, job, wallMs, out)) continue;
    turn.running = job;
    out.push({ type: "start", call: job.call, readonly: false });
  }
  while (turn.readers.size < readersMax) {
    const job = turn.waitingReaders.shift();
    if (job === undefined) break;
    if (isLate(turn, job, wallMs, out)) continue;
    turn.readers.set(job.call, { job, startedAt: turn.turn });
    out.push({ type: "start", call: job.call, readonly: true });
  }
}

/** A call whose deadline passed while it was queued is dropped before any work. */
function isLate(turn: Turn, job: Job, wallMs: number, out: TurnEffect[]): boolean {
  if (wallMs < job.deadlineMs) return false;
  sayDropped(turn, job.call, "deadline", out);
  return true;
}

function finished(turn: Turn, event: TurnEvent & { type: "succeeded" | "threw" }, out: TurnEffect[]): void {
  const reader = turn.readers.get(event.call);
  if (reader !== undefined) {
    turn.readers.delete(event.call);
    sayRead(turn, event, reader.startedAt, out);
  } else if (turn.running?.call === event.call) {
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

function sayDropped(turn: Turn, call: number, why: AbandonReason, out: TurnEffect[]): void {
  out.push({ type: "say", message: { type: "dropped", activation: turn.activation, call, why } });
}

function cancel(turn: Turn, call: number, why: AbandonReason, out: TurnEffect[]): void {
  if (takeJob(turn.mailbox, call) || takeJob(turn.waitingReaders, call)) {
    sayDropped(turn, call, why, out);
    return;
  }
  const isReader = turn.readers.has(call);
  if (!isReader && turn.running?.call !== call) return;
  out.push({ type: "abort", call, why });
  if (why === "caller") return;
  // a handler that does not heed its signal would hold the session for ever
  out.push({ type: "discard", call });
  if (isReader) turn.readers.delete(call);
  else turn.running = undefined;
  sayDropped(turn, call, why, out);
}

function takeJob(jobs: Job[], call: number): boolean {
  const at = jobs.findIndex((job) => job.call === call);
  if (at < 0) return false;
  jobs.splice(at, 1);
  return true;
}

function close(turn: Turn, out: TurnEffect[]): void {
  assert(!turn.closed, "closed twice");
  turn.closed = true;
  const running = turn.running === undefined ? [] : [turn.running.call];
  for (const call of [...running, ...turn.readers.keys()]) {
    out.push({ type: "abort", call, why: "caller" });
    out.push({ type: "discard", call });
  }
  turn.running = undefined;
  turn.mailbox.length = 0;
  turn.readers.clear();
  turn.waitingReaders.length = 0;
}
