// Ends and new beginnings of work: everybody who shares it is answered, refused or passed on together.

import { defaultNamespace, type SessionName } from "@voda/proto/name";
import { unknownEffect } from "@voda/proto/wire";
import { bytesEqual } from "@voda/stdx";
import { type AbandonReason, type CallHead, type Failure, fail } from "../call/index.ts";
import { retryAfterMs } from "./constants.ts";
import type { Lane, Pass } from "./lane.ts";
import type { Incarnation } from "./types.ts";
import type { Work } from "./work.ts";

/** Puts work back before what waits already; work that nobody waits for ends. */
export function requeue(lane: Lane, works: readonly Work[]): void {
  const unmerged = works.filter((work) => work.waiters.length > 0 && !mergeSame(lane, work));
  for (const work of works) if (work.waiters.length === 0) finish(lane, work);
  for (const work of unmerged) work.stage = "queued";
  lane.queue = [...unmerged, ...lane.queue];
}

/**
 * Equal bytes under the same id tell the same call; others may mean the same, which only the worker can say.
 */
export function isSameRaw({ id: a }: CallHead, { id: b }: CallHead): boolean {
  return a !== undefined && b !== undefined && bytesEqual(a.rawHash, b.rawHash);
}

/** A failed turn does not let others join; when it must run again, it joins who came later under its id. */
function mergeSame(lane: Lane, work: Work): boolean {
  if (work.key === undefined) return false;
  const other = lane.running.get(work.key);
  if (other === undefined) lane.running.set(work.key, work);
  if (other === undefined || other === work || !isSameRaw(other.job, work.job)) return false;
  for (const waiter of work.waiters) {
    other.waiters.push(waiter);
    lane.calls.set(waiter.number, other);
  }
  other.starts += work.starts;
  work.waiters = [];
  return true;
}

/**
 * The same bytes to everybody who shares the work. `n` and `uid`: position and life that a reader must have
 * seen to see this turn.
 */
export function replyWork(pass: Pass, work: Work, answer: Uint8Array, n: number, uid: Uint8Array): void {
  for (const { number: call } of work.waiters) pass.out.push({ type: "reply", call, answer, n, uid });
  finish(pass.lane, work);
}

/** Another node owns the session: the lane forgets the calls, whose answers go to the callers without it. */
export function forwardWork(pass: Pass, work: Work, incarnation: Incarnation): void {
  const mayHaveBegun = work.starts > 0;
  for (const { number: call } of work.waiters)
    pass.out.push({ type: "forward", call, incarnation, mayHaveBegun });
  finish(pass.lane, work);
}

/** All who share the work fail alike: none of them could tell whose call it was. */
export function failWork(pass: Pass, work: Work, failure: Failure): void {
  for (const { number: call } of work.waiters) failCall(pass, call, failure);
  finish(pass.lane, work);
}

/** One call's only answer; the caller of this has taken it out of the lane's books, or never put it in. */
export function failCall(pass: Pass, call: number, failure: Failure): void {
  pass.out.push({ type: "fail", call, failure });
}

/** The work is over: nobody waits for it any more. */
export function finish(lane: Lane, work: Work): void {
  for (const { number: call } of work.waiters) lane.calls.delete(call);
  if (work.key !== undefined && lane.running.get(work.key) === work) lane.running.delete(work.key);
  work.waiters = [];
  lane.workCount -= 1;
  lane.workBytes -= work.bytes;
}

/**
 * The append was given up while its record may lie in the lane: with an id a retry would find out, without
 * one nobody can.
 */
export const unknownOutcome = (): Failure =>
  fail("store_away", "whether the call took effect is unknown: it had no idempotency key to find it by", {
    metadata: unknownEffect,
  }).failure;
// both texts tell what may be repeated, since only the caller knows whether that does harm
const undone =
  "the thread of the agent ended under the call, which is undone; what its handler did elsewhere is not: call again if it may run twice";
const doubtful =
  "the thread of the agent ended before the call was known to be kept: call again under the same idempotency key";
/** `isDoubtful`: the record with the turn was on its way when the thread ended. */
export const workerLost = (isDoubtful: boolean): Failure =>
  isDoubtful
    ? fail("worker_lost", doubtful, { metadata: unknownEffect }).failure
    : fail("worker_lost", undone).failure;
/** `hops`: hopsMax. Two nodes that send a call to each other would do so until its deadline. */
export const tooManyHops = (hops: number): Failure =>
  fail("not_owner", `the session moved while ${hops} nodes passed the call on`, { retryAfterMs }).failure;
/** `why` names record and version. A downgrade of voda must not throw away what the later version wrote. */
export const laterFormat = (why: string): Failure =>
  fail(
    "unsupported_format",
    `a later version of voda wrote the session: call it through a node of that version (${why})`,
  ).failure;
/** `why`: the server's own words. Certain: the only copy of the record was refused for good. */
export const storeFull = (why: string): Failure =>
  fail("store_full", `nothing can be stored, and the call took no effect: ${why}`).failure;
function waysOn({ namespace, agent, key }: SessionName): string {
  const flag = namespace === defaultNamespace ? "" : ` --namespace ${namespace}`;
  return (
    "nothing is served until somebody decides: `npx voda doctor` lists what is lost, " +
    `\`npx voda accept-loss ${agent}/${key}${flag}\` goes on from what can be read`
  );
}
const nameText = ({ namespace, agent, key }: SessionName): string => `${namespace}/${agent}/${key}`;
/** `why` names the record. Every call of the session gets it until an operator acts; see `doctor`. */
export const corruptLane = (name: SessionName, why: string): Failure =>
  fail("corrupt", `session ${nameText(name)} cannot be read: ${why}; ${waysOn(name)}`).failure;
/** The same, of a lane that is behind its mark. */
export const lostRecords = (name: SessionName, why: string): Failure =>
  fail("data_loss", `session ${nameText(name)} lost records: ${why}; ${waysOn(name)}`).failure;
/** Of an order to end the session that was taken. */
export const carriedOutStill = (why: AbandonReason): Failure => {
  const message = "the session may still be deleted: the order had begun when its caller stopped waiting";
  return fail(why === "deadline" ? "turn_timeout" : "interrupted", message).failure;
};
export const keyReused = (): Failure =>
  fail("idempotency_key_reused", "the idempotency key was used for another call; take a new key").failure;
/** Of a message that no call of a session has brought, nor will one that is on its way now. */
export const notTaken = (): Failure => fail("not_taken", "the message was not taken").failure;
