// The calls that this node has not answered, and the watch over their deadlines.
import type { Clock } from "@voda/stdx";
import type { AnswerMeta } from "../bus/index.ts";
import { type Answer, fail, type Invocation } from "../invocation.ts";
import { createTicks } from "./ticks.ts";

export type Reply = (answer: Answer, meta: AnswerMeta) => void;

export interface LiveCall {
  readonly number: number;
  readonly invocation: Invocation;
  readonly reply: Reply;
  /** Takes back what was passed on to another node. */
  takeBack: (() => void) | undefined;
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
  add(invocation: Invocation, reply: Reply): LiveCall | undefined;
  get(number: number): LiveCall | undefined;
  all(): Iterable<LiveCall>;
  /** Answers and forgets the call; nothing happens when it was answered before. */
  answer(number: number, answer: Answer, meta?: AnswerMeta): void;
}

/** `onLate` is told of each call whose deadline passes; what it does not answer is answered after it. */
export function createCalls(clock: Clock, onLate: (call: LiveCall) => void): Calls {
  const live = new Map<number, LiveCall>();
  let next = 1;

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
  const deadlines = createTicks({ nowMs: () => clock.wallMs(), tickMs: deadlineTickMs, onDue: expire });

  return {
    get size() {
      return live.size;
    },
    add(invocation, reply) {
      if (live.size >= callsMax) {
        reply(
          fail("queue_full", `this node holds callsMax ${callsMax} calls; retry later`, {
            retryAfterMs: 100,
          }),
          {},
        );
        return undefined;
      }
      const call: LiveCall = {
        number: next,
        invocation,
        reply,
        takeBack: undefined,
        handedMs: undefined,
        workersLost: 0,
      };
      next += 1;
      live.set(call.number, call);
      deadlines.add(invocation.deadlineMs, call.number);
      return call;
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
