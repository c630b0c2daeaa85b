// What the session is to do later: messages by their id, each until its time has come. Then it is a letter
// like any other, in the record that takes it from the table or says when it is due next.
import type { Timing } from "@voda/proto/timing";
import {
  isAtOnce,
  type KeptDue,
  laterCronMs,
  outboxMessagesMax,
  type Recurrence,
  recurrenceOf,
  type Send,
  timerBytes,
} from "../call/index.ts";
import { cronFiredMax, timersFiredMax } from "./constants.ts";
import { type Outbox, startNumbers } from "./outbox.ts";

/** One that waits. */
export interface Timer extends Send {
  readonly id: string;
  /** By the store's clock: milliseconds since 1970. */
  readonly dueMs: number;
  /** Absent when there is only one time. */
  readonly repeat: Recurrence | undefined;
  /** Number of the letter that it was last; 0 before the first. The next one waits until that is over. */
  readonly n: number;
}

/** What a record says of one: as it is from there on, or that it is gone. */
export type TimerChange =
  | { readonly type: "set"; readonly timer: Timer }
  | { readonly type: "gone"; readonly id: string };

/** The slice. */
export interface Timers {
  readonly table: Map<string, Timer>;
  bytes: number;
}

export const createTimers = (): Timers => ({ table: new Map(), bytes: 0 });

/** The record lies in the lane, or is replayed: changes are absolute, and may be replayed after a fold. */
export function applyTimers(timers: Timers, changes: readonly TimerChange[]): void {
  for (const change of changes) {
    const id = change.type === "set" ? change.timer.id : change.id;
    const before = timers.table.get(id);
    if (before !== undefined) timers.bytes -= timerBytes(before);
    timers.table.delete(id);
    if (change.type === "gone") continue;
    timers.table.set(id, change.timer);
    timers.bytes += timerBytes(change.timer);
  }
}

/** All of them, for a fold. */
export const timersAt = ({ table }: Timers): readonly TimerChange[] =>
  Array.from(table.values(), (timer) => ({ type: "set", timer }));

/** When the first one is due that does not wait for its last letter, by the store's clock. */
export function firstDueMs({ table }: Timers, outbox: Outbox): number {
  let first = Number.POSITIVE_INFINITY;
  for (const { dueMs, n } of table.values()) if (dueMs < first && !outbox.letters.has(n)) first = dueMs;
  return first;
}

/** When the first one of all is due. */
export function soonestMs({ table }: Timers): number {
  let soonest = Number.POSITIVE_INFINITY;
  for (const { dueMs } of table.values()) soonest = Math.min(soonest, dueMs);
  return soonest;
}

/** `undefined`: never. */
function dueOf({ due }: Timing<KeptDue>, nowMs: number): number | undefined {
  if (due.type === "never") return undefined;
  if (due.type === "cron") return due.firstMs;
  return due.type === "at" ? due.ms : nowMs + due.ms;
}

/** What the next record says of timers, and the letters that it holds after those of its turns. */
export interface Firing {
  readonly changes: readonly TimerChange[];
  readonly fired: readonly Send[];
}

/**
 * Turns come first: what a turn cancels or puts off is not due any more. Of several times that have passed
 * one letter is left.
 */
export function takeTimers(
  timers: Timers,
  outbox: Outbox,
  sends: readonly Send[],
  { nowMs, fires }: { readonly nowMs: number; readonly fires: boolean },
): Firing {
  const changes = new Map<string, TimerChange>();
  for (const send of sends) if (send.timing !== undefined) noteSend(changes, send, send.timing, nowMs);
  const fired: Send[] = [];
  let crons = 0;
  if (!fires) return { changes: [...changes.values()], fired };
  startNumbers(outbox, nowMs);
  let n = outbox.next + sends.filter(isAtOnce).length;
  const most = Math.min(timersFiredMax, outboxMessagesMax - outbox.letters.size);
  for (const timer of dueTimers(timers, outbox, nowMs)) {
    if (fired.length >= most) break;
    if (changes.has(timer.id)) continue;
    // one that is left out stays due, and is among the first of the next record: other sessions go first
    if (timer.repeat?.type === "cron") {
      if (crons === cronFiredMax) continue;
      crons += 1;
    }
    const { id, agent, key, method, body } = timer;
    fired.push({ agent, key, method, body });
    changes.set(id, nextOf(timer, n, nowMs));
    n += 1;
  }
  return { changes: [...changes.values()], fired };
}

/** Those that were due first come first. */
function dueTimers({ table }: Timers, outbox: Outbox, nowMs: number): Timer[] {
  const due = [...table.values()].filter(({ dueMs, n }) => dueMs <= nowMs && !outbox.letters.has(n));
  return due.sort((a, b) => a.dueMs - b.dueMs);
}

function noteSend(
  changes: Map<string, TimerChange>,
  { agent, key, method, body }: Send,
  timing: Timing<KeptDue>,
  nowMs: number,
): void {
  const { id } = timing;
  const dueMs = dueOf(timing, nowMs);
  const timer = dueMs !== undefined && {
    id,
    agent,
    key,
    method,
    body,
    dueMs,
    repeat: recurrenceOf(timing.due),
    n: 0,
  };
  changes.set(id, timer ? { type: "set", timer } : { type: "gone", id });
}

/** Times that have passed are not made up for. */
function nextOf(timer: Timer, n: number, nowMs: number): TimerChange {
  const { id, dueMs, repeat } = timer;
  const next =
    repeat && (repeat.type === "cron" ? laterCronMs(repeat, nowMs) : afterOf(dueMs, repeat.ms, nowMs));
  return next === undefined ? { type: "gone", id } : { type: "set", timer: { ...timer, dueMs: next, n } };
}

function afterOf(dueMs: number, everyMs: number, nowMs: number): number {
  const passed = Math.floor((nowMs - dueMs) / everyMs);
  return dueMs + (passed + 1) * everyMs;
}
