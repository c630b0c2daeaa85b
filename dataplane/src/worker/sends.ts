// What the turns of one activation send: bounded while a handler runs, so that the handler hears of a bound,
// and kept until the turn ends.
import type { CronTime } from "@voda/proto/timing";
import { turnBytesMax } from "@voda/proto/wire";
import { wordsOf } from "@voda/stdx";
import { type SendRequest, VodaError } from "voda/definition";
import {
  firstCronMs,
  isAtOnce,
  type KeptDue,
  type OutboxChange,
  outboxBytesMax,
  outboxMessagesMax,
  type Send,
  sendBytes,
  timersMax,
  turnSendsMax,
} from "../call/index.ts";
import type { Site } from "./failed-ask.ts";

const utf8 = new TextEncoder();
const retryAfter = 1_000;

/** Whether it has a target: what cancels a timer has none. */
const isCalled = ({ timing }: Send): boolean => timing?.due.type !== "never";

/** What one turn sends. */
export interface TurnSends {
  readonly sends: Send[];
  /** What they take of the bounds. */
  bytes: number;
  /** Those to handlers that the session has never sent to, by `textOf`: the first of each. */
  strange: Map<string, Strange> | undefined;
}

/** Whether there is such a handler, its turn asks at its end. */
export interface Strange extends Pick<SendRequest, "agent" | "key" | "method" | "timing"> {
  /** Where it was sent. */
  readonly site: Site;
}

/** The outbox of a session, as far as its worker knows it. */
export class OutboxRoom {
  readonly #nowMs: () => number;
  #messages = 0;
  #timers = 0;
  #bytes = 0;

  /** `nowMs`: milliseconds since 1970. */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** The turn took place. */
  take({ sends, bytes }: TurnSends): void {
    const messages = sends.filter(isAtOnce).length;
    this.#messages += messages;
    this.#timers += sends.length - messages;
    this.#bytes += bytes;
  }

  /** The host tells what it has found at the opening, and what has become of it. */
  change({ messages, timers, bytes }: OutboxChange): void {
    this.#messages += messages;
    this.#timers += timers;
    this.#bytes += bytes;
  }

  /** The turn sends one message more. @throws VodaError */
  add(turn: TurnSends, { way, agent, key, method, body, timing }: SendRequest): void {
    const send = { agent, key, method, body: utf8.encode(body ?? ""), ...this.#timingOf(way, timing) };
    const messages = turn.sends.length + 1;
    const isTimer = !isAtOnce(send);
    const timers = this.#timers + turn.sends.filter((one) => !isAtOnce(one)).length;
    const bytes = turn.bytes + sendBytes(send);
    if (messages > turnSendsMax)
      throw tooLarge(way, `a turn sends at most turnSendsMax ${turnSendsMax} messages`);
    if (isTimer && isCalled(send) && timers >= timersMax) throw tooManyTimers(way, timers);
    if (bytes > turnBytesMax)
      throw tooLarge(way, `${bytes} bytes of messages in one turn exceed turnBytesMax ${turnBytesMax}`);
    if (!isTimer && this.#messages + messages > outboxMessagesMax)
      throw full(way, `${this.#messages} messages of the session`, `outboxMessagesMax ${outboxMessagesMax}`);
    if (isCalled(send) && this.#bytes + bytes > outboxBytesMax)
      throw full(way, `${this.#bytes} bytes of messages of the session`, `outboxBytesMax ${outboxBytesMax}`);
    turn.sends.push(send);
    turn.bytes = bytes;
  }

  /** The I/O thread, which is everybody's, must not look at the calendar for each timer that is set. */
  #timingOf(way: string, timing: SendRequest["timing"]): Pick<Send, "timing"> {
    if (timing === undefined) return {};
    const { id, due } = timing;
    return { timing: { id, due: due.type === "cron" ? this.#firstOf(way, due) : due } };
  }

  #firstOf(way: string, { pattern, zone }: CronTime): KeptDue {
    return { type: "cron", pattern, zone, firstMs: firstMsOf(way, { pattern, zone }, this.#nowMs()) };
  }
}

const tooLarge = (way: string, message: string): VodaError =>
  new VodaError("resource_exhausted", `${way}: ${message}`, { reason: "too_large" });

/** Which of its classes found it. */
const ofCroner = /^Cron\w+: /;
/** Croner says so in the words of three libraries. */
const noZone = "there is no such time zone: write a name of the IANA list, such as Europe/Berlin";

function isZone(zone: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: zone }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}

/** @throws VodaError for what is no pattern or time zone, and for a pattern without a time to come */
function firstMsOf(way: string, { pattern, zone }: CronTime, nowMs: number): number {
  const what = `${way}: cron ${JSON.stringify(pattern)} in time zone ${JSON.stringify(zone)}`;
  let next: number | undefined;
  try {
    next = firstCronMs({ pattern, zone }, nowMs);
  } catch (cause) {
    const words = isZone(zone) ? wordsOf(cause).replace(ofCroner, "") : noZone;
    throw new VodaError("invalid_argument", `${what}: ${words}`, { reason: "bad_request", cause });
  }
  if (next === undefined)
    throw new VodaError("invalid_argument", `${what} never comes`, { reason: "bad_request" });
  return next;
}

/** When one of them is due, nobody can tell here. */
const tooManyTimers = (way: string, timers: number): VodaError =>
  new VodaError(
    "resource_exhausted",
    `${way}: the session has ${timers} timers, with timersMax ${timersMax}: cancel some, or have other sessions wait`,
    { reason: "outbox_full" },
  );

const full = (way: string, waiting: string, limit: string): VodaError =>
  new VodaError("resource_exhausted", `${way}: ${waiting} are not delivered yet, with ${limit}`, {
    reason: "outbox_full",
    retryAfter,
  });

type Handled = Pick<Send, "agent" | "method">;

/** Handlers that the session has sent to: what is taken back later ends as a dead letter. */
export class KnownTargets {
  readonly #known = new Set<string>();

  /** The turn has sent it; `site` is asked for where nobody knows the handler. */
  note(turn: TurnSends, { agent, key, method, timing }: SendRequest, site: () => Site): void {
    const text = textOf({ agent, method });
    if (timing?.due.type === "never" || this.#known.has(text) || turn.strange?.has(text)) return;
    turn.strange ??= new Map();
    turn.strange.set(text, { agent, key, method, ...(timing && { timing }), site: site() });
  }

  know(checked: Iterable<Handled>): void {
    for (const one of checked) this.#known.add(textOf(one));
  }
}

const textOf = ({ agent, method }: Handled): string => `${agent} ${method}`;
