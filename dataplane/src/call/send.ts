// What a turn sends to other sessions: it leaves with the turn's record, and nobody waits for what becomes
// of it.
import { identifierProblem, keyProblem } from "@voda/proto/name";
import { methodBytesMax } from "@voda/proto/session-path";
import type { CronTime, Due, Timing } from "@voda/proto/timing";
import { cronCharsMax, everyMsMin, timerIdCharsMax, timerMsMax, turnBytesMax } from "@voda/proto/wire";
import { ByteReader, ByteWriter, DecodeError, utf8Length } from "@voda/stdx";

/** To a session of the sender's namespace; the input is JSON, or empty. */
export interface Send {
  readonly agent: string;
  readonly key: string;
  readonly method: string;
  readonly body: Uint8Array;
  /** Absent: it leaves with the turn's record. */
  readonly timing?: Timing<KeptDue>;
}

/**
 * As a session keeps it: lengths count from the record on, times are the store's, and who set one by the
 * calendar has found the first.
 */
export type KeptDue =
  | Exclude<Due, { type: "cron" }>
  | ({ readonly type: "cron"; readonly firstMs: number } & CronTime);

/** From one time to the next. */
export type Recurrence =
  | { readonly type: "every"; readonly ms: number }
  | ({ readonly type: "cron" } & CronTime);

/** What an outbox has more than its worker knows, or less where a number is negative. */
export interface OutboxChange {
  readonly messages: number;
  readonly timers: number;
  readonly bytes: number;
}

/** Messages of one turn. */
export const turnSendsMax = 1_024;
/** Messages of one session that are not delivered yet: what they take is in each of its folds. */
export const outboxMessagesMax = 16_384;
/** Bytes of them. */
export const outboxBytesMax = 2 * 1024 * 1024;

/** Timers of one session: each of its folds has them all. */
export const timersMax = 4_096;
/** What ids of the host's own timers begin with; no handler may set one that does. */
export const ownTimerMark = "_";
/** Those of them with which a workflow goes on. */
export const workflowTimerMark = "_workflow ";

/** As far from 1970 as a Date goes. */
const dateMsMax = 8.64e15;

/** Of a turn that sends nothing. */
export const noSends: readonly Send[] = [];

/** More than what a record takes of one beside its texts and its body: numbers and lengths. */
const headBytes = 64;

const messageBytes = ({ agent, key, method, body }: Send): number =>
  headBytes + utf8Length(agent) + utf8Length(key) + utf8Length(method) + body.length;

/**
 * What a timer counts against the bounds, at least what a record takes for it. One that comes again counts
 * twice, because it is there beside the letter that it was last.
 */
export function timerBytes(
  timer: Send & { readonly id: string; readonly repeat: Recurrence | undefined },
): number {
  const { id, repeat } = timer;
  const calendar = repeat?.type === "cron" ? utf8Length(repeat.pattern) + utf8Length(repeat.zone) : 0;
  return utf8Length(id) + calendar + (repeat === undefined ? 1 : 2) * messageBytes(timer);
}

/** When a timer is due after the first time, if it is. */
export function recurrenceOf(due: KeptDue): Recurrence | undefined {
  if (due.type === "cron") return { type: due.type, pattern: due.pattern, zone: due.zone };
  return due.type === "every" ? { type: due.type, ms: due.ms } : undefined;
}

/** The same of a message, and of a timer that is set: wherever it is counted. */
export function sendBytes(send: Send): number {
  const { timing } = send;
  if (timing === undefined) return messageBytes(send);
  return timerBytes({ ...send, id: timing.id, repeat: recurrenceOf(timing.due) });
}

/** What the messages and timers of one turn count against the bounds. */
export const bytesOfSends = (sends: readonly Send[]): number =>
  sends.reduce((sum, send) => sum + sendBytes(send), 0);

/** As frames and records have it. */
export function writeSend(out: ByteWriter, { agent, key, method, body }: Send): void {
  out.text(agent);
  out.text(key);
  out.text(method);
  out.block(body);
}

/** The body is a view. @throws DecodeError */
export const readSend = (input: ByteReader): Send => ({
  agent: input.text(),
  key: input.text(),
  method: input.text(),
  body: input.block(),
});

/** Whether it is a message that leaves with its turn. */
export const isAtOnce = ({ timing }: Send): boolean => timing === undefined;

const dues = ["in", "at", "every", "never", "cron"] as const;

/** What one turn sends, in its order; `decodeSends` reads it. */
export function encodeSends(sends: readonly Send[]): Uint8Array {
  const out = new ByteWriter(256);
  out.varint(sends.length);
  for (const send of sends) {
    writeSend(out, send);
    writeTiming(out, send.timing);
  }
  return out.finish();
}

/** 0, or the place of the kind in its list from 1 on, then id and what it says. */
function writeTiming(out: ByteWriter, timing: Timing<KeptDue> | undefined): void {
  if (timing === undefined) return out.u8(0);
  const { id, due } = timing;
  out.u8(1 + dues.indexOf(due.type));
  out.text(id);
  if (due.type === "cron") {
    out.varint(due.firstMs);
    out.text(due.pattern);
    out.text(due.zone);
  } else if (due.type !== "never") {
    out.varint(due.ms);
  }
}

function readTiming(input: ByteReader): Pick<Send, "timing"> {
  const place = input.u8();
  if (place === 0) return {};
  const type = dues[place - 1];
  if (type === undefined) throw new DecodeError(`a timer of unknown kind ${place}`);
  const id = input.text();
  check("the id of a timer in characters", id.length, { name: "timerIdCharsMax", max: timerIdCharsMax });
  if (type === "never") return { timing: { id, due: { type } } };
  const ms = input.varint();
  if (type === "at" || type === "cron") check("a timer's time", ms, { name: "dateMsMax", max: dateMsMax });
  else check("a timer's time", ms, { name: "timerMsMax", max: timerMsMax });
  if (type === "every" && ms < everyMsMin)
    throw new DecodeError(`a timer of every ${ms} ms, less than everyMsMin ${everyMsMin}`);
  if (type !== "cron") return { timing: { id, due: { type, ms } } };
  return { timing: { id, due: { type, firstMs: ms, ...readCronTime(input) } } };
}

/** Whether it is one, a look at the calendar tells, and not before it is due. */
function readCronTime(input: ByteReader): CronTime {
  const time = { pattern: input.text(), zone: input.text() };
  const longest = Math.max(time.pattern.length, time.zone.length);
  check("a pattern or a zone in characters", longest, { name: "cronCharsMax", max: cronCharsMax });
  return time;
}

function check(
  what: string,
  value: number,
  { name, max }: { readonly name: string; readonly max: number },
): void {
  if (value > max) throw new DecodeError(`${what}: ${value} exceeds ${name} ${max}`);
}

/** It becomes a subject of the store, and the name of a session there. */
function checkTarget({ agent, key, method, timing }: Send): void {
  if (timing?.due.type === "never") return;
  const problem = identifierProblem("agent", agent) ?? keyProblem(key);
  if (problem !== undefined) throw new DecodeError(`a message: ${problem}`);
  check("the method of a message in characters", method.length, {
    name: "methodBytesMax",
    max: methodBytesMax,
  });
}

/**
 * Bodies are views. The code of agents shares the thread that wrote them, and may have replaced what they
 * were checked with: all that the lane goes by is checked here again. @throws DecodeError
 */
export function decodeSends(bytes: Uint8Array): Send[] {
  const input = new ByteReader(bytes);
  const count = input.count(4);
  check("messages of a turn", count, { name: "turnSendsMax", max: turnSendsMax });
  const sends = Array.from({ length: count }, () => ({ ...readSend(input), ...readTiming(input) }));
  input.end();
  for (const send of sends) checkTarget(send);
  check("bytes of messages of a turn", bytesOfSends(sends), { name: "turnBytesMax", max: turnBytesMax });
  return sends;
}
