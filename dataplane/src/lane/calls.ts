// Calls: arrival, joining, hand-over to the worker, leaving.
import { bytesEqual } from "@voda/stdx";
import { type AbandonReason, type CallHead, type Failure, fail } from "../call/index.ts";
import { briefKeepMs, pipelineBytesMax, pipelineTurnsMax } from "./constants.ts";
import { abandonOrder } from "./control.ts";
import { findAnswer, hasRoom, idText, turnKeyOf } from "./dedupe.ts";
import type { Activation, Slice, Step } from "./lane.ts";
import type { StoredAnswer } from "./record.ts";
import { failCall, failWork, finish, left, replyWork, requeue, retryAfterMs } from "./share.ts";
import { wantClaim } from "./tip.ts";
import { startJob, takeJob } from "./turns.ts";
import type { Work } from "./work.ts";

export const calls: Slice = { advance: dispatch };

export function arrive(step: Step, call: CallHead): void {
  const { lane } = step;
  const stored = call.readonly ? undefined : turnKeyOf(call);
  const key = stored === undefined ? undefined : idText(stored.id);
  const waiting = Math.max(lane.calls.size, lane.workCount);
  if (waiting >= pipelineTurnsMax) {
    failCall(step, call.number, queueFull(`${waiting} calls wait, pipelineTurnsMax is ${pipelineTurnsMax}`));
    return;
  }
  const same = key === undefined ? undefined : lane.running.get(key);
  if (same !== undefined) {
    join(step, same, call);
    return;
  }
  const bytes = lane.workBytes + call.bytes;
  if (bytes > pipelineBytesMax) {
    failCall(
      step,
      call.number,
      queueFull(`${bytes} bytes of calls wait, pipelineBytesMax is ${pipelineBytesMax}`),
    );
    return;
  }
  const work: Work = { key, job: call, waiters: [call], gone: undefined, stage: "queued", bytes: call.bytes };
  lane.calls.set(call.number, work);
  if (key !== undefined) lane.running.set(key, work);
  lane.workCount += 1;
  lane.workBytes += work.bytes;
  lane.queue.push(work);
}

function join(step: Step, work: Work, call: CallHead): void {
  if (!isSame(turnKeyOf(call)?.bodyHash, work.job)) {
    failCall(step, call.number, reused());
    return;
  }
  work.waiters.push(call);
  step.lane.calls.set(call.number, work);
}

/** Hands queued work to the worker, or answers it from what is stored. */
function dispatch(step: Step, activation: Activation): void {
  const { lane } = step;
  if (lane.queue.length === 0 || !activation.look.verified) return;
  const closed = activation.orders.closing !== undefined || activation.tip.claim === "released";
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
    const isBrief = (turnKeyOf(first)?.keepMs ?? 0) <= briefKeepMs;
    if (!isBrief && !hasRoom(activation.dedupe, activation.turns.jobs.size, world.wallMs)) {
      failWork(step, work, quota());
      return;
    }
  }
  work.job = first;
  startJob(activation.turns, work);
  if (first.readonly) wantClaim(activation.tip);
  out.push({ type: "run", activation: activation.number, call: first.number });
}

function answerStored(step: Step, activation: Activation, work: Work, stored: StoredAnswer): void {
  if (!isSame(stored.bodyHash, work.job)) failWork(step, work, reused());
  else if (stored.answer === undefined) failWork(step, work, notKept());
  else replyWork(step, work, stored.answer, stored.n, activation.tip.uid);
}

/** Whether a call under the same id asked for the same. */
function isSame(bodyHash: Uint8Array | undefined, job: CallHead): boolean {
  const own = turnKeyOf(job)?.bodyHash;
  return own !== undefined && bodyHash !== undefined && bytesEqual(own, bodyHash);
}

/** The caller's deadline passed, or the caller went away. */
export function abandon(step: Step, call: number, why: AbandonReason): void {
  const { lane, out } = step;
  const work = lane.calls.get(call);
  if (work === undefined) {
    abandonOrder(step, call, why);
    return;
  }
  if (work.stage === "queued" || why === "deadline") {
    work.waiters = work.waiters.filter((waiter) => waiter.number !== call);
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
    !work.waiters.every((waiter) => work.gone?.has(waiter.number))
  )
    return;
  out.push({ type: "cancel", activation: activation.number, call: work.job.number, why });
}

/** The worker dropped a job: it left nothing. Whoever still waits for it has it run again. */
export function dropped(step: Step, activation: Activation, call: number, why: AbandonReason): void {
  const work = takeJob(activation.turns, call);
  if (work === undefined) return;
  const leaving = work.waiters.filter((waiter) => waiter.number === call || work.gone?.has(waiter.number));
  for (const waiter of leaving) {
    step.lane.calls.delete(waiter.number);
    failCall(step, waiter.number, left(why));
  }
  work.waiters = work.waiters.filter((waiter) => !leaving.includes(waiter));
  requeue(step.lane, [work]);
}

const queueFull = (what: string): Failure => fail("queue_full", what, { retryAfterMs }).failure;
const reused = (): Failure =>
  fail("idempotency_key_reused", "the idempotency key was used for another call; take a new key").failure;
const notKept = (): Failure =>
  fail("answer_not_kept", "the call was done; its answer is not kept any more: read the session").failure;
const full = "the session remembers as many idempotency keys as it can; call without a key or later";
const quota = (): Failure => fail("quota", full).failure;
