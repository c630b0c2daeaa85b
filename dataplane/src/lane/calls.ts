// Calls: arrival, joining, hand-over to the worker, leaving.
import { assert, bytesEqual } from "@voda/stdx";
import {
  type AbandonReason,
  type CallHead,
  encodeAnswer,
  type Failure,
  fail,
  left,
  type SentId,
} from "../call/index.ts";
import type { TurnMessage } from "../turn/index.ts";
import { dropAsks } from "./ask-gate.ts";
import { pipelineBytesMax, pipelineTurnsMax, retryAfterMs, seenMax } from "./constants.ts";
import { abandonOrder } from "./control.ts";
import { callText, type Found, findAnswer, roomFor } from "./dedupe.ts";
import { endSteps } from "./journals.ts";
import type { Activation, Lane, Pass, Slice } from "./lane.ts";
import { fateOf, hasRoom } from "./seen.ts";
import { failCall, failWork, finish, isSameRaw, keyReused, notTaken, replyWork, requeue } from "./share.ts";
import { recall } from "./step-gate.ts";
import { admit } from "./suspect-gate.ts";
import { wantClaimToRead } from "./tip.ts";
import { isBusy, startJob, takeJob, waitsInWorker } from "./turns.ts";
import type { Work } from "./work.ts";

/**
 * Runs while the session is ours to run in: what is queued goes to the worker in the order of arrival, or is
 * answered from what is remembered.
 */
export const calls: Slice = { advance: dispatch };

/**
 * A call comes in. It joins one under the same id and with the same bytes; else it becomes work of its own,
 * unless `pipelineTurnsMax` or `pipelineBytesMax` is reached: then it fails with `queue_full`, and nothing of
 * it is left.
 */
export function arrive(pass: Pass, call: CallHead): void {
  const { lane } = pass;
  // waiters may share one work, and work whose callers have gone still runs: the larger number is what memory
  // holds
  const waiting = Math.max(lane.calls.size, lane.workCount);
  if (waiting >= pipelineTurnsMax) {
    failCall(pass, call.number, queueFull(`${waiting} calls wait, pipelineTurnsMax is ${pipelineTurnsMax}`));
    return;
  }
  const key = call.readonly || call.id === undefined ? undefined : callText(call.id);
  const same = key === undefined ? undefined : lane.running.get(key);
  if (same !== undefined && isSameRaw(same.job, call)) {
    same.waiters.push(call);
    if (call.mayHaveBegun) same.starts += 1;
    lane.calls.set(call.number, same);
    return;
  }
  const bytes = lane.workBytes + call.bytes;
  if (bytes > pipelineBytesMax) {
    const why = `${bytes} bytes of calls wait, pipelineBytesMax is ${pipelineBytesMax}`;
    failCall(pass, call.number, queueFull(why));
    return;
  }
  const work: Work = {
    key,
    job: call,
    waiters: [call],
    gone: undefined,
    stage: "queued",
    starts: call.mayHaveBegun ? 1 : 0,
    bytes: call.bytes,
  };
  lane.calls.set(call.number, work);
  // under an id with other bytes `same` stays the one that others join: this work waits behind it (mustWait)
  if (key !== undefined && same === undefined) lane.running.set(key, work);
  lane.workCount += 1;
  lane.workBytes += work.bytes;
  lane.queue.push(work);
}

/** Hands queued work to the worker, or answers it from what is stored. */
function dispatch(pass: Pass, activation: Activation): void {
  const { lane } = pass;
  if (lane.queue.length === 0 || !activation.verification.verified) return;
  // what comes while the session goes to sleep, or ends, waits for the next activation
  const closed = activation.orders.closing !== undefined || activation.tip.claim === "released";
  if (closed) return;
  const runnable = lane.queue;
  lane.queue = [];
  for (const work of runnable) {
    if (mustWait(lane, activation, work)) lane.queue.push(work);
    else hand(pass, activation, work);
  }
}

/**
 * Behind a call under the same id that is written otherwise; or for the next proof that the session is not
 * born.
 */
function mustWait({ running }: Lane, { tip, append }: Activation, work: Work): boolean {
  // it is being given up: whether it was, the record on its way says
  if (append.flight?.seals.some((seal) => seal.id !== undefined && callText(seal.id) === work.key) === true)
    return true;
  if (tip.provedFor !== undefined && !work.waiters.every((call) => tip.provedFor?.has(call.number)))
    return true;
  if (work.key === undefined) return false;
  const before = running.get(work.key);
  if (before === undefined) running.set(work.key, work);
  return before !== undefined && before !== work;
}

/**
 * To the worker, or answered from the lane's memory. An id is looked up here and not at the arrival: the turn
 * before it may have stored its answer meanwhile.
 */
function hand(pass: Pass, activation: Activation, work: Work): void {
  const { lane, world, out } = pass;
  const { dedupe, turns } = activation;
  const [first] = work.waiters;
  assert(first !== undefined, "work that nobody waits for is in the queue");
  // the caller under whose number it was queued may have gone: the worker needs one who waits
  work.job = first;
  if (first.id?.type === "sent") {
    if (takeLetter(pass, activation, work, first.id)) return;
    const admitted = admit(pass, activation, work, first.id);
    if (admitted === "waits") lane.queue.push(work);
    if (admitted !== "runs") return;
  } else if (work.key !== undefined && first.id !== undefined) {
    const found = findAnswer(dedupe, first.id, world.storeMs);
    if (found !== undefined) {
      answerFound(pass, activation, work, found);
      return;
    }
    // before it runs: a turn whose answer could not be remembered would run again at each retry
    const room = roomFor(dedupe, first.id, turns.jobs.size, world.storeMs);
    if (room !== "room") {
      failWork(pass, work, quota(room));
      return;
    }
  }
  // after what is stored: a call that was done is answered, whatever runs
  if (first.onBusy === "reject" && isBusy(turns)) {
    failWork(pass, work, busy());
    return;
  }
  startJob(turns, work);
  if (first.readonly) wantClaimToRead(activation.tip);
  recall(pass, activation, work);
  out.push({ type: "run", activation: activation.number, call: first.number });
}

/** Whether what another session sent need not run: it was taken, or there is no room to remember it. */
function takeLetter(
  pass: Pass,
  { seen, turns, tip }: Activation,
  work: Work,
  { source, n }: SentId,
): boolean {
  const fate = fateOf(seen, source, n);
  if (fate === "taken") replyWork(pass, work, taken, tip.n, tip.uid);
  if (fate === "given_up") failWork(pass, work, notTaken());
  if (fate !== "open") return true;
  if (hasRoom(seen, { source, own: tip.uid, running: turns.jobs.size }, pass.world.storeMs)) return false;
  failWork(pass, work, tooManySources());
  return true;
}

/**
 * The call was done. Equal bytes tell the same call; of others the worker must say whether they mean the
 * same.
 */
function answerFound(pass: Pass, activation: Activation, work: Work, found: Found): void {
  if (found.type === "past") {
    failWork(pass, work, notKept());
  } else if (isRaw(work.job, found.stored.rawHash)) {
    replyStored(pass, activation, work, found.stored);
  } else if (found.stored.canonicalHash === undefined) {
    failWork(pass, work, keyReused());
  } else {
    startJob(activation.turns, work);
    pass.out.push({ type: "identify", activation: activation.number, call: work.job.number });
  }
}

/** The worker says what the call means, however it is written. */
export function identified(
  pass: Pass,
  activation: Activation,
  { call, canonicalHash }: { readonly call: number; readonly canonicalHash: Uint8Array | undefined },
): void {
  const work = takeJob(activation.turns, call);
  if (work?.job.id === undefined || work.job.id.type === "sent") return;
  const found = findAnswer(activation.dedupe, work.job.id, pass.world.storeMs);
  if (found?.type === "answer" && isSameHash(found.stored.canonicalHash, canonicalHash))
    replyStored(pass, activation, work, found.stored);
  else if (found?.type === "answer") failWork(pass, work, keyReused());
  else failWork(pass, work, notKept()); // its time was over meanwhile
}

/**
 * `n` of the record that holds the turn, not of the last one: the token for reading one's own writes stays
 * the same however often the call is repeated.
 */
function replyStored(
  pass: Pass,
  { tip }: Activation,
  work: Work,
  { answer, n }: (Found & { type: "answer" })["stored"],
): void {
  if (answer === undefined) failWork(pass, work, notKept());
  else replyWork(pass, work, answer, n, tip.uid);
}

const isSameHash = (a: Uint8Array | undefined, b: Uint8Array | undefined): boolean =>
  a !== undefined && b !== undefined && bytesEqual(a, b);
const isRaw = (job: CallHead, rawHash: Uint8Array): boolean => isSameHash(job.id?.rawHash, rawHash);

/** The caller's deadline passed, or the caller went away. */
export function abandon(pass: Pass, call: number, why: AbandonReason): void {
  const { lane, out } = pass;
  const work = lane.calls.get(call);
  if (work === undefined) {
    abandonOrder(pass, call, why);
    return;
  }
  // a deadline is answered now, or, where the worker can tell that the call did not begin, in a moment. A
  // caller who has gone needs no answer, and the job's end gives it one; until then others may still join
  if (work.stage === "queued" || (why === "deadline" && !willAnswer(lane, work, call))) {
    work.waiters = work.waiters.filter((waiter) => waiter.number !== call);
    lane.calls.delete(call);
    failCall(pass, call, left(why, work.starts === 0 ? "none" : "perhaps"));
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

/** Whether the worker, once nobody waits for the work any more, will say that it did not begin. */
const willAnswer = ({ activation }: Lane, work: Work, last: number): boolean =>
  activation !== undefined &&
  waitsInWorker(activation.turns, work) &&
  work.waiters.every(({ number }) => number === last || work.gone?.has(number));

/** The worker dropped a job: it left nothing. Whoever still waits for it has it run again. */
export function dropped(
  pass: Pass,
  activation: Activation,
  { call, why, hasBegun }: TurnMessage & { type: "dropped" },
): void {
  const work = takeJob(activation.turns, call);
  if (work === undefined) return;
  if (!hasBegun) work.starts -= 1;
  const effect = hasBegun ? "undone" : work.starts === 0 ? "none" : "perhaps";
  dropAsks(pass, activation, work);
  endSteps(activation.journals, work);
  const leaving = work.waiters.filter((waiter) => waiter.number === call || work.gone?.has(waiter.number));
  for (const waiter of leaving) {
    pass.lane.calls.delete(waiter.number);
    failCall(pass, waiter.number, left(why, effect));
  }
  work.waiters = work.waiters.filter((waiter) => !leaving.includes(waiter));
  requeue(pass.lane, [work]);
}

const queueFull = (what: string): Failure => fail("queue_full", what, { retryAfterMs }).failure;
const busy = (): Failure =>
  fail("busy", "a turn of the session runs, and this handler waits for none: call again", { retryAfterMs })
    .failure;
const notKept = (): Failure =>
  fail("answer_not_kept", "the call was done; its answer is not kept any more: read the session").failure;
const full = "the session remembers as many calls as it can; call without an idempotency key, or later";
const tooManySources = (): Failure =>
  fail(
    "quota",
    `the session remembers seenMax ${seenMax} sessions that have sent to it, one place kept for itself`,
    { retryAfterMs },
  ).failure;
/** Nobody reads what a letter is answered. */
const taken = encodeAnswer({ ok: true, content: "json", body: new Uint8Array(0) });
const quota = (inMs: number): Failure => fail("quota", full, { retryAfterMs: inMs }).failure;
