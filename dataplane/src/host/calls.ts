// The calls that this node has not answered, and the watch over their deadlines.
import type { Clock } from "@voda/stdx";
import {
  type AbandonReason,
  type Answer,
  type AnswerMeta,
  type Call,
  fail,
  type Reply,
} from "../call/index.ts";
import { createTicks } from "./ticks.ts";

export interface LiveCall {
  readonly call: Call;
  readonly reply: Reply;
  /** Takes back what was passed on to another node. */
  takeBack: ((why: AbandonReason) => void) | undefined;
  /** Monotonic time at which it was handed to a worker. */
  handedMs: number | undefined;
  /** Workers that ended while they had it. */
  workersLost: number;
}

/** Calls that one node holds at the same time; more are refused at once. */
export const callsMax = 100_000;
/** Deadlines are met two of these late at most. */
export const deadlineTickMs = 25;

/** Disposal answers what is left. */
export interface Calls extends Disposable {
  readonly size: number;
  /** `undefined` when there are `callsMax` already; the caller has been told. */
  add(call: Call, reply: Reply): LiveCall | undefined;
  get(number: number): LiveCall | undefined;
  all(): Iterable<LiveCall>;
  /** Answers and forgets the call; nothing happens when it was answered before. */
  answer(number: number, answer: Answer, meta?: AnswerMeta): void;
}

/** `onLate` is told of each call whose deadline passes; what it does not answer is answered after it. */
export function createCalls(clock: Clock, onLate: (call: LiveCall) => void): Calls {
  const live = new Map<number, LiveCall>();

  const answer = (number: number, given: Answer, meta: AnswerMeta = {}): void => {
    const call = live.get(number);
    if (call === undefined) return;
    live.delete(number);
    call.reply(given, meta);
  };
  const expire = (number: number): void => {
    const call = live.get(number);
    if (call === undefined) return;
    onLate(call);
    answer(
      number,
      fail(
        "turn_timeout",
        "the deadline passed; the call may still take effect: retry with the same idempotency key",
      ),
    );
  };
  const deadlines = createTicks({ nowMs: () => clock.monotonicMs(), tickMs: deadlineTickMs, onDue: expire });

  return {
    get size() {
      return live.size;
    },
    add(call, reply) {
      if (live.size >= callsMax) {
        reply(
          fail("queue_full", `this node holds callsMax ${callsMax} calls; retry later`, {
            retryAfterMs: 100,
          }),
          {},
        );
        return undefined;
      }
      const { number, deadlineMs } = call.head;
      const added: LiveCall = { call, reply, takeBack: undefined, handedMs: undefined, workersLost: 0 };
      live.set(number, added);
      deadlines.add(deadlineMs, number);
      return added;
    },
    get: (number) => live.get(number),
    all: () => live.values(),
    answer,
    [Symbol.dispose]() {
      deadlines[Symbol.dispose]();
      for (const number of live.keys())
        answer(number, fail("closed", "this node is closing; retry with the same idempotency key"));
    },
  };
}
