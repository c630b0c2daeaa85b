// Calls and the work they share: arrival, hand-over to the worker, leaving.
import { type Answer, type Failure, fail } from "../invocation.ts";
import type { AbandonReason } from "../turn/types.ts";
import { briefKeepMs, pipelineBytesMax, pipelineTurnsMax } from "./constants.ts";
import { findAnswer, hasRoom, idText } from "./dedupe.ts";
import type { Activation, Lane, Step, Work } from "./lane.ts";
import type { StoredAnswer } from "./record.ts";
import type { Call, Incarnation } from "./types.ts";

const RETRY_AFTER_MS = 100;

export function arrive(step: Step, call: Call): void {
  const { lane } = step;
  const key = call.readonly || call.id === undefined ? undefined : idText(call.id);
  if (lane.calls.size >= pipelineTurnsMax || lane.workCount >= pipelineTurnsMax) {
    failCall(
      step,
      call.call,
      queueFull(
        `${Math.max(lane.calls.size, lane.workCount)} calls wait, pipelineTurnsMax is ${pipelineTurnsMax}`,
      ),
    );
    return;
  }
  const same = key === undefined ? undefined : lane.running.get(key);
  if (same !== undefined) {
    join(step, same, call);
    return;
  }
  if (lane.workBytes + call.bytes > pipelineBytesMax) {
    const bytes = lane.workBytes + call.bytes;
    failCall(
      step,
      call.call,
      queueFull(`${bytes} bytes of calls wait, pipelineBytesMax is ${pipelineBytesMax}`),
    );
    return;
  }
  const work: Work = { key, job: call, waiters: [call], gone: undefined, stage: "queued", bytes: call.bytes };
  lane.calls.set(call.call, work);
  if (key !== undefined) lane.running.set(key, work);
  lane.workCount += 1;
  lane.workBytes += work.bytes;
  lane.queue.push(work);
}

function join(step: Step, work: Work, call: Call): void {
  if (!sameBytes(work.job.bodyHash, call.bodyHash)) {
    failCall(step, call.call, reused());
    return;
  }
  work.waiters.push(call);
  step.lane.calls.set(call.call, work);
}

/** Hands queued work to the worker, or answers it from what is stored. */
export function dispatch(step: Step, activation: Activation): void {
  const { lane } = step;
  if (lane.queue.length === 0 || !activation.verified) return;
  const closed = activation.closing !== undefined || activation.claim === "released";
  if (closed) return;
  const runnable = lane.queue;
  lane.queue = [];
  for (const work of runnable) hand(step, activation, work);
}

function hand(step: Step, activation: Activation, work: Work): void {
  const { lane, world, out } = step;
  const [first] = work.waiters;
  if (first === undefined) {
    finish(lane, work);
    return;
  }
  if (work.key !== undefined) {
    const stored = findAnswer(activation.dedupe, work.key, world.wallMs);
    if (stored !== undefined) {
      answerStored(step, activation, work, stored);
      return;
    }
    if (first.keepMs > briefKeepMs && !hasRoom(activation.dedupe, activation.jobs.size, world.wallMs)) {
      failWork(step, work, quota());
      return;
    }
  }
  work.job = first;
  work.stage = "running";
  activation.jobs.set(first.call, work);
  if (first.readonly && activation.claim === "held") activation.wantsClaim = true;
  const { call, readonly, deadlineMs } = first;
  out.push({ type: "run", activation: activation.number, job: { call, readonly, deadlineMs } });
}

function answerStored(step: Step, activation: Activation, work: Work, stored: StoredAnswer): void {
  if (!sameBytes(stored.bodyHash, work.job.bodyHash)) failWork(step, work, reused());
  else if (stored.answer === undefined) failWork(step, work, notKept());
  else replyWork(step, work, stored.answer, stored.n, activation.uid);
}

/** The caller's deadline passed, or the caller went away. */
export function abandon(step: Step, call: number, why: AbandonReason): void {
  const { lane, out } = step;
  const work = lane.calls.get(call);
  if (work === undefined) {
    abandonControl(step, call, why);
    return;
  }
  if (work.stage === "queued" || why === "deadline") {
    work.waiters = work.waiters.filter((waiter) => waiter.call !== call);
    lane.calls.delete(call);
    failCall(step, call, left(why));
    if (work.waiters.length === 0 && work.stage === "queued") {
      lane.queue = lane.queue.filter((other) => other !== work);
      finish(lane, work);
    }
  } else {
    work.gone ??= new Set();
    work.gone.add(call);
  }
  const activation = lane.activation;
  if (
    work.stage !== "running" ||
    activation === undefined ||
    !work.waiters.every((waiter) => work.gone?.has(waiter.call))
  )
    return;
  out.push({ type: "cancel", activation: activation.number, call: work.job.call, why });
}

function abandonControl(step: Step, call: number, why: AbandonReason): void {
  const { lane } = step;
  const waits = (control: { call: Call }): boolean => control.call.call === call;
  const activation = lane.activation;
  if (!lane.controls.some(waits) && !activation?.orders.some(waits)) return;
  lane.controls = lane.controls.filter((control) => !waits(control));
  if (activation !== undefined) activation.orders = activation.orders.filter((control) => !waits(control));
  failCall(step, call, left(why));
}

/** The worker dropped a job: it left nothing. Whoever still waits for it has it run again. */
export function dropped(step: Step, activation: Activation, call: number, why: AbandonReason): void {
  const work = activation.jobs.get(call);
  if (work === undefined) return;
  activation.jobs.delete(call);
  const leaving = work.waiters.filter((waiter) => waiter.call === call || work.gone?.has(waiter.call));
  for (const waiter of leaving) {
    step.lane.calls.delete(waiter.call);
    failCall(step, waiter.call, left(why));
  }
  work.waiters = work.waiters.filter((waiter) => !leaving.includes(waiter));
  requeue(step.lane, [work]);
}

/** Puts work back before what waits already; work that nobody waits for ends. */
export function requeue(lane: Lane, works: readonly Work[]): void {
  const again = works.filter((work) => work.waiters.length > 0 && !mergeSame(lane, work));
  for (const work of works) if (work.waiters.length === 0) finish(lane, work);
  for (const work of again) work.stage = "queued";
  lane.queue = [...again, ...lane.queue];
}

/** A failed turn does not let others join; when it must run again, it joins who came later under its id. */
function mergeSame(lane: Lane, work: Work): boolean {
  if (work.key === undefined) return false;
  const other = lane.running.get(work.key);
  if (other === undefined) lane.running.set(work.key, work);
  if (other === undefined || other === work) return false;
  for (const waiter of work.waiters) {
    other.waiters.push(waiter);
    lane.calls.set(waiter.call, other);
  }
  work.waiters = [];
  return true;
}

export function replyWork(step: Step, work: Work, answer: Uint8Array, n: number, uid: Uint8Array): void {
  for (const { call } of work.waiters) step.out.push({ type: "reply", call, answer, n, uid });
  finish(step.lane, work);
}

export function forwardWork(step: Step, work: Work, incarnation: Incarnation): void {
  for (const { call } of work.waiters) step.out.push({ type: "forward", call, kind: "invoke", incarnation });
  finish(step.lane, work);
}

export function failWork(step: Step, work: Work, failure: Failure): void {
  for (const { call } of work.waiters) failCall(step, call, failure);
  finish(step.lane, work);
}

export function failCall(step: Step, call: number, failure: Failure): void {
  step.out.push({ type: "fail", call, failure });
}

/** The work is over: nobody waits for it any more. */
export function finish(lane: Lane, work: Work): void {
  for (const { call } of work.waiters) lane.calls.delete(call);
  if (work.key !== undefined && lane.running.get(work.key) === work) lane.running.delete(work.key);
  work.waiters = [];
  lane.workCount -= 1;
  lane.workBytes -= work.bytes;
  work.bytes = 0;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function failure(answer: Answer): Failure {
  if (answer.ok) throw new TypeError("not a failure");
  return answer.failure;
}

const queueFull = (what: string): Failure =>
  failure(fail("queue_full", what, { retryAfterMs: RETRY_AFTER_MS }));
const reused = (): Failure =>
  failure(fail("idempotency_key_reused", "the idempotency key was used for another call; take a new key"));
const notKept = (): Failure =>
  failure(fail("answer_not_kept", "the call was done; its answer is not kept any more: read the session"));
const quota = (): Failure =>
  failure(
    fail("quota", "the session remembers as many idempotency keys as it can; call without a key or later"),
  );
export const unknownOutcome = (): Failure =>
  failure(fail("store_away", "the outcome of the call is unknown: it had no idempotency key to find it by"));
export const workerLost = (): Failure =>
  failure(
    fail(
      "worker_lost",
      "the thread of the agent ended under the call, which is undone; what its handler did elsewhere is not: call again if it may run twice",
    ),
  );
export const tooManyHops = (hops: number): Failure =>
  failure(
    fail("not_owner", `the session moved while ${hops} nodes passed the call on`, {
      retryAfterMs: RETRY_AFTER_MS,
    }),
  );
export const corruptLane = (why: string): Failure =>
  failure(fail("corrupt", `the session cannot be read: ${why}`));
const left = (why: AbandonReason): Failure =>
  failure(
    why === "deadline"
      ? fail(
          "turn_timeout",
          "the deadline passed; whether the call took effect is unknown unless it is repeated with its key",
        )
      : fail("interrupted", "the caller went away before the call ran"),
  );
