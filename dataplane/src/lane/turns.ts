// What the worker has and had: jobs, turns that took place, answers that wait in the gate (PROTOCOL.md 5.2,
// 5.3, 5.5).
import { bytesOfSends, type Send, ThreadFault } from "../call/index.ts";
import type { TurnMessage } from "../turn/index.ts";
import { briefKeepMs, letterLifeMs, recordBytesMax, recordTurnsMax, transitMs } from "./constants.ts";
import type { SeenMark } from "./record-outbox.ts";
import type { TurnEntry, TurnKey } from "./record-turns.ts";
import { addSizes, noSizes, type Sizes, sizesOfSends } from "./send-sizes.ts";
import type { Work } from "./work.ts";

/** A turn that took place in memory. */
export interface Turned {
  readonly turn: number;
  readonly work: Work;
  readonly delta: Uint8Array;
  readonly answer: Uint8Array;
  readonly canonicalHash: Uint8Array | undefined;
  readonly sends: readonly Send[];
}

/** An answer that waits in the gate until everything that it has seen is accepted. */
export interface Output {
  readonly work: Work;
  readonly after: number;
  readonly answer: Uint8Array;
}

/** Each call of the session is in exactly one place: the lane's queue, `jobs`, or answered. */
export interface Turns {
  /** At the worker, or executed and not answered, by call, in order. */
  readonly jobs: Map<number, Work>;
  /** Number of the last turn that took place, and of the last one whose record is accepted. */
  executed: number;
  accepted: number;
  /** Turns that no record holds yet. */
  pending: Turned[];
  /** How many of them send something. */
  sending: number;
  /** What is sent by turns that are not accepted. */
  unaccepted: Sizes;
  gate: Output[];
}

/** Turns count from 1 in each activation; 0: none took place. */
export function openTurns(): Turns {
  return {
    jobs: new Map(),
    executed: 0,
    accepted: 0,
    pending: [],
    sending: 0,
    unaccepted: noSizes,
    gate: [],
  };
}

/** It runs, or waits in the worker, and is no reader. */
const isTurn = ({ stage, job }: Work): boolean => stage === "running" && !job.readonly;

/** Whether a turn runs, or waits in the worker for the one that does; readers are none. */
export function isBusy({ jobs }: Turns): boolean {
  return jobs.values().some(isTurn);
}

/** Whether it certainly waits in the worker for an earlier turn, as far as the worker has told. */
export function waitsInWorker({ jobs }: Turns, work: Work): boolean {
  const all = [...jobs.values()];
  return isTurn(work) && all.slice(0, all.indexOf(work)).some(isTurn);
}

/** The work goes to the worker. */
export function startJob({ jobs }: Turns, work: Work): void {
  work.stage = "running";
  work.starts += 1;
  jobs.set(work.job.number, work);
}

/** The worker does not have it any more. */
export function takeJob({ jobs }: Turns, call: number): Work | undefined {
  const work = jobs.get(call);
  jobs.delete(call);
  return work;
}

/** A turn took place. */
export function addTurn(turns: Turns, event: TurnMessage & { type: "turned" }): Work {
  const { call, turn, delta, answer, canonicalHash, sends } = event;
  if (turn !== turns.executed + 1) throw new ThreadFault(`turn ${turn} after turn ${turns.executed}`);
  const work = executed(turns, call);
  turns.executed = turn;
  turns.pending.push({ turn, work, delta, answer, canonicalHash, sends });
  if (sends.length > 0) {
    turns.sending += 1;
    turns.unaccepted = addSizes(turns.unaccepted, sizesOfSends(sends));
  }
  return work;
}

/** An answer that tells what was read: of a reader, or the error of a failed turn. */
export function addOutput(
  turns: Turns,
  { call, after, answer }: TurnMessage & { type: "failed" | "read" },
): Work {
  if (after > turns.executed) throw new ThreadFault(`turn ${after} was seen after turn ${turns.executed}`);
  const work = executed(turns, call);
  turns.gate.push({ work, after, answer });
  return work;
}

function executed({ jobs }: Turns, call: number): Work {
  const work = jobs.get(call);
  if (work?.stage !== "running") throw new ThreadFault(`it ran call ${call}, which it does not have`);
  work.stage = "executed";
  return work;
}

/** Whether the first answer of the gate may leave, as far as turns matter. */
export function hasOutput(turns: Turns): boolean {
  const [first] = turns.gate;
  return first !== undefined && isSeen(turns, first);
}

/** Answers whose every turn is accepted leave the gate. */
export function takeOutputs(turns: Turns): Output[] {
  const end = turns.gate.findIndex((output) => !isSeen(turns, output));
  const count = end < 0 ? turns.gate.length : end;
  const leaving = turns.gate.slice(0, count);
  turns.gate = turns.gate.slice(count);
  for (const { work } of leaving) turns.jobs.delete(work.job.number);
  return leaving;
}

const isSeen = (turns: Turns, output: Output): boolean => output.after <= turns.accepted;

/** The turns of the next record, up to turn `end`. */
export function takeTurns(turns: Turns, end: number): Turned[] {
  const { pending } = turns;
  let count = 0;
  let bytes = 0;
  for (const turned of pending) {
    if (count >= recordTurnsMax || turned.turn > end) break;
    bytes += turned.delta.length + turned.answer.length + bytesOfSends(turned.sends);
    // one turn that is larger than the bound still needs a record, and gets one of its own
    if (count > 0 && bytes > recordBytesMax) break;
    count += 1;
  }
  const taken = pending.slice(0, count);
  turns.pending = pending.slice(count);
  turns.sending -= taken.filter(({ sends }) => sends.length > 0).length;
  return taken;
}

/** The record with this turn lies in the lane. */
export function acceptTurn(turns: Turns, { turn, work, sends }: Turned): void {
  turns.accepted = Math.max(turns.accepted, turn);
  if (sends.length > 0) turns.unaccepted = addSizes(turns.unaccepted, sizesOfSends(sends), -1);
  turns.jobs.delete(work.job.number);
}

/** What turns were sent by others, as far as they were. */
export const seenOf = (turns: readonly Turned[], usedAtMs: number): SeenMark[] =>
  turns.flatMap(({ work: { job } }) =>
    job.id?.type === "sent" ? [{ source: job.id.source, n: job.id.n, usedAtMs, isGivenUp: false }] : [],
  );

/** `nowMs`: monotonic. */
export function entryOf(turned: Turned, nowMs: number): TurnEntry {
  const { delta, answer } = turned;
  return { key: keyOf(turned, nowMs), delta, answer };
}

/**
 * An answer outlives every copy of its call: none is on its way longer than its caller waits, and a little
 * more.
 */
function keyOf({ work, canonicalHash }: Turned, nowMs: number): TurnKey | undefined {
  const { id } = work.job;
  // of what was sent the number is kept, and no answer
  if (id === undefined || work.key === undefined || id.type === "sent") return undefined;
  if (id.type === "numbered") return { ...id, canonicalHash };
  return { ...id, keepMs: Math.max(id.keepMs, untilNoCopy(work, nowMs)), canonicalHash };
}

/** `nowMs`: monotonic. */
function untilNoCopy({ waiters, job }: Work, nowMs: number): number {
  const deadlineMs = waiters.reduce((last, call) => Math.max(last, call.deadlineMs), job.deadlineMs);
  return Math.ceil(deadlineMs - nowMs) + transitMs;
}

/** How long the work may come again, if its turn does not take place; `nowMs`: monotonic. */
export function journalKeepMs(work: Work, nowMs: number): number {
  const { id } = work.job;
  if (id?.type === "sent") return letterLifeMs;
  return Math.max(id?.type === "key" ? id.keepMs : briefKeepMs, untilNoCopy(work, nowMs));
}
