// The calls that this node has not answered, and the watch over their deadlines: the only one. Whoever holds
// a caller's connection enters its call here, so the answer at the deadline comes from the node of that
// connection, whatever became of the call elsewhere.
import { NumberMap } from "@voda/stdx";
import {
  type Answer,
  type AnswerMeta,
  type Call,
  type Failed,
  fail,
  left,
  type Reply,
  type TakeBack,
} from "../call/index.ts";
import { retryAfterMs } from "../lane/index.ts";
import type { TimerPort } from "./ports.ts";

/** A call that this node has not answered, and where it is. */
export interface LiveCall {
  /** With what its grant gives, once that is checked. */
  call: Call;
  readonly reply: Reply;
  /** Ends the watch over its deadline: whatever is answered leaves nothing behind. */
  disarm: () => void;
  /**
   * checking: what its caller brings is looked at, or it is an ask that waits at the lane of who asks; the
   * lane of its own session does not know it. here: that lane does. away: another node has it, and
   * `takeBack` takes it back.
   */
  stage: "checking" | "here" | "away";
  takeBack: TakeBack | undefined;
  /** A worker has it, or had it. */
  isHanded: boolean;
  /** Workers that ended while they had it. */
  workersLost: number;
}

/** Calls that one node holds at the same time; more are refused at once. */
export const nodeCallsMax = 100_000;

/**
 * From a deadline to the answer that nobody knows what became of the call: a worker, or another node, may
 * know better.
 */
export const lateGraceMs = 100;

/** By number. Whatever happens, each call that was added is answered once. */
export interface Calls {
  readonly size: number;
  /** `undefined` when there are `nodeCallsMax` already; the caller has been told. */
  add(call: Call, reply: Reply): LiveCall | undefined;
  get(number: number): LiveCall | undefined;
  all(): Iterable<LiveCall>;
  /** Forgets the call: whoever takes it answers it. `undefined` when it was answered before. */
  take(number: number): LiveCall | undefined;
  /** Takes the call and answers it, unless it was answered before. */
  answer(number: number, answer: Answer, meta?: AnswerMeta): void;
  /** Answers all that are left. */
  close(): void;
}

/**
 * `onLate` is told of each call whose deadline passes, and once more, `isLast`, `lateGraceMs` later; what is
 * not answered then is answered after it.
 */
export function createCalls(timers: TimerPort, onLate: (call: LiveCall, isLast: boolean) => void): Calls {
  const live = new NumberMap<LiveCall>();

  const take = (number: number): LiveCall | undefined => {
    const call = live.get(number);
    if (call === undefined) return undefined;
    live.delete(number);
    // before the reply, which may throw: no timer stays behind
    call.disarm();
    return call;
  };
  const answer = (number: number, given: Answer, meta: AnswerMeta = {}): void =>
    take(number)?.reply(given, meta);
  const expire = (number: number, isLast: boolean): void => {
    const call = live.get(number);
    if (call === undefined) return;
    onLate(call, isLast);
    if (isLast) answer(number, late());
    else if (live.get(number) !== undefined)
      call.disarm = timers.at(timers.nowMs() + lateGraceMs, () => expire(number, true));
  };

  return {
    get size() {
      return live.size;
    },
    add(call, reply) {
      // before the timer is armed: what is refused leaves nothing
      if (live.size >= nodeCallsMax) {
        reply(tooMany(), {});
        return undefined;
      }
      const { number, deadlineMs } = call.head;
      const added: LiveCall = {
        call,
        reply,
        disarm: timers.at(deadlineMs, () => expire(number, false)),
        stage: "checking",
        takeBack: undefined,
        isHanded: false,
        workersLost: 0,
      };
      live.set(number, added);
      return added;
    },
    get: (number) => live.get(number),
    all: () => live.values(),
    take,
    answer,
    close() {
      for (const { call } of live.values()) answer(call.head.number, closing());
    },
  };
}

const late = (): Failed => ({ ok: false, failure: left("deadline", "perhaps") });
const tooMany = (): Failed =>
  fail("queue_full", `this node holds nodeCallsMax ${nodeCallsMax} calls; retry later`, {
    retryAfterMs,
  });
export const closing = (): Failed =>
  fail("closed", "this node is closing; retry with the same idempotency key");
