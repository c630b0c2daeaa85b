// Delivers what the session has sent, from the moment its record is accepted until it is over, and has itself
// woken for it (PROTOCOL.md 6.2).
import type { Reason } from "@voda/proto/wire";
import { type Failure, fail, isFinalCode, outboxMessagesMax, sendBytes } from "../call/index.ts";
import type { Flight } from "./append.ts";
import {
  attemptsMax,
  awayMax,
  endPatienceMs,
  letterLifeMs,
  redeliverMaxMs,
  redeliverMinMs,
  rejectedRetryMs,
  resendMinMs,
  threadPauseMs,
  threadsMax,
  timerArmMaxMs,
  worldRetryMaxMs,
} from "./constants.ts";
import type { Activation, Pass, Slice, StoreReply } from "./lane.ts";
import { takeNothing } from "./memory.ts";
import {
  countTry,
  endBurial,
  endLetter,
  firstOf,
  forgetBell,
  giveUp,
  makeReady,
  nextTarget,
  noteReturn,
  type Outbox,
  sendFirst,
  setArmed,
  setBell,
  startBurial,
  type Target,
  targetOf,
  waitUntil,
  wakeTargets,
} from "./outbox.ts";
import { firstDueMs, soonestMs } from "./timers.ts";
import { wantClaim } from "./tip.ts";
import type { LaneEffect, LaneEvent, Letter } from "./types.ts";

/**
 * A letter goes as soon as it is certainly in the lane. That another owner may send it too does no harm: its
 * target knows its number. The bell rings before the record with a letter is sent: whoever has the session's
 * lane in memory delivers, and if nobody has, the bell is there.
 */
export const delivery: Slice = {
  advance,
  replied,
  disconnected: ({ outbox }) => forgetBell(outbox),
};

function advance(pass: Pass, activation: Activation): void {
  const { outbox, tip, verification } = activation;
  if (pass.world.monotonicMs >= outbox.armedMs) setArmed(outbox, Number.POSITIVE_INFINITY);
  armDue(pass, activation);
  const dueMs = bellDueMs(pass, activation);
  if (dueMs === undefined) return;
  if (!pass.lane.connected || !verification.verified || tip.claim === "released") return;
  ring(pass, activation, dueMs);
  if (outbox.letters.size === 0 && !hasDue(pass, activation)) return;
  if (tip.claim !== "owner") return wantClaim(tip);
  deliver(pass, activation);
}

/** Whether a timer is due, and not held up by its last letter. */
export function hasDue({ world }: Pass, { timers, outbox, orders }: Activation): boolean {
  if (orders.closing === "end" || outbox.letters.size >= outboxMessagesMax) return false;
  return timers.table.size > 0 && firstDueMs(timers, outbox) <= world.storeMs;
}

function armDue({ world, out }: Pass, { timers, outbox }: Activation): void {
  if (timers.table.size === 0) return;
  const inMs = firstDueMs(timers, outbox) - world.storeMs;
  // rounded up: one that rings early rings again
  if (inMs > 0) arm(out, outbox, world.monotonicMs + Math.min(Math.ceil(inMs), timerArmMaxMs));
}

/**
 * When somebody must look at the session, by the store's clock: at once while something is sent and not over,
 * when the first timer is due else. `undefined`: never, or another node sees to it.
 */
function bellDueMs(pass: Pass, activation: Activation): number | undefined {
  if (wantsBell(activation)) return 0;
  const { timers, tip } = activation;
  const isOurs = tip.claim === "owner" || hasDue(pass, activation);
  return isOurs && timers.table.size > 0 ? soonestMs(timers) : undefined;
}

/** Something is sent and not over, or not said to be, or is about to be sent. */
export function wantsBell({ outbox, turns, append }: Activation): boolean {
  return outbox.letters.size + outbox.graves.size > 0 || turns.sending > 0 || isSending(append.flight);
}

function isSending(flight: Flight | undefined): boolean {
  if (flight?.record.type !== "turns") return false;
  const { outbox, timers } = flight.record;
  return timers.length > 0 || (outbox !== undefined && outbox.letters.length > 0);
}

/** Whether the next turns, or those on their way, may go: what sends does not before the bell is rung. */
export function mayLeave(pass: Pass, activation: Activation): boolean {
  const { outbox, turns, append } = activation;
  const sends = turns.sending > 0 || isSending(append.flight) || hasDue(pass, activation);
  return outbox.bell.type === "rung" || !sends;
}

/** Whether the session may sleep: with timers only, and its bell says when the first one is due. */
export function isBellExact(activation: Activation): boolean {
  const { timers, outbox } = activation;
  if (wantsBell(activation) || timers.table.size === 0) return true;
  return outbox.bell.type === "rung" && outbox.bell.dueMs === soonestMs(timers);
}

/** What is rung says a time that is early enough; of a session that goes to sleep, the very time. */
function isRung({ timers, outbox, orders }: Activation, dueMs: number): boolean {
  const { bell } = outbox;
  if (bell.type !== "rung") return bell.type === "ringing";
  const isAsleepSoon = orders.closing === "sleep" && dueMs > 0 && timers.table.size > 0;
  return isAsleepSoon ? bell.dueMs === dueMs : bell.dueMs <= dueMs;
}

function ring({ world, out }: Pass, activation: Activation, dueMs: number): void {
  const { outbox } = activation;
  const { bell } = outbox;
  if (isRung(activation, dueMs)) return;
  if (bell.type === "none" && world.monotonicMs < bell.retryAtMs) {
    arm(out, outbox, bell.retryAtMs);
    return;
  }
  const token = world.unique();
  setBell(outbox, { type: "ringing", token, dueMs });
  out.push({ type: "ring", token, dueMs });
}

function deliver(pass: Pass, activation: Activation): void {
  const { world, out } = pass;
  const { outbox, tip, orders } = activation;
  wakeTargets(outbox, world.monotonicMs);
  while (outbox.away < awayMax) {
    const target = nextTarget(outbox);
    if (target === undefined) break;
    const letter = firstOf(target);
    if (orders.closing === "end" && isOwn(pass, letter)) {
      over(pass, activation, target);
    } else {
      if (letter.atMs + letterLifeMs <= world.storeMs) giveUp(target, target.last ?? tooOld);
      sendFirst(outbox, target);
      const how = { isGivenUp: target.last !== undefined, isSuspect: letter.n < outbox.suspectBelow };
      out.push({ type: "deliver", activation: activation.number, source: tip.uid, letter, ...how });
    }
  }
  arm(out, outbox, outbox.dueMs);
}

function arm(out: LaneEffect[], outbox: Outbox, atMs: number): void {
  if (outbox.armedMs <= atMs) return;
  setArmed(outbox, atMs);
  out.push({ type: "timer", timer: "outbox", atMs });
}

/** What a session that ends has sent to itself nobody will take. */
const isOwn = ({ lane: { name } }: Pass, { agent, key }: Letter): boolean =>
  name.agent === agent && name.key === key;

/** What became of a letter that went. */
export function delivered(
  pass: Pass,
  activation: Activation,
  { n, failure, isNobodyThere }: LaneEvent & { type: "delivered" },
): void {
  const { outbox } = activation;
  const letter = outbox.letters.get(n);
  const target = letter && targetOf(outbox, letter);
  if (target?.stage !== "away" || firstOf(target).n !== n) return;
  noteReturn(outbox);
  if (failure === undefined) over(pass, activation, target);
  else if (isSealed(failure) || isNobodyThere) bury(pass, activation, target, target.last ?? failure);
  else cameBack(pass, activation, target, failure);
}

/** The target has said that it never will be taken. */
const isSealed = ({ reason, by }: Failure): boolean => reason === "not_taken" && by === undefined;

/** It goes again, or its session is asked to see to it that it is never taken. */
function cameBack(pass: Pass, activation: Activation, target: Target, failure: Failure): void {
  const { outbox, orders } = activation;
  const nowMs = pass.world.monotonicMs;
  const { endFromMs } = orders;
  const isLate = endFromMs !== undefined && nowMs >= endFromMs + endPatienceMs;
  countTry(target, failure, isCounted(failure));
  if (target.last !== undefined) {
    if (isLate) bury(pass, activation, target, unsure(failure));
    else waitUntil(outbox, target, nowMs + pauseMs(target, failure));
  } else if (isLate || isLast(target, failure, endFromMs !== undefined)) {
    giveUp(target, failure);
    makeReady(outbox, target);
  } else {
    waitUntil(outbox, target, nowMs + pauseMs(target, failure));
  }
}

function isLast({ attempts, threads }: Target, failure: Failure, isEnding: boolean): boolean {
  if (failure.by === "node" || isFinal(failure) || attempts >= attemptsMax || threads >= threadsMax)
    return true;
  return isEnding && isCounted(failure) && !isThreadLost(failure);
}

/** A neighbour may have ended it: that was no attempt that a session which ends may leave it at. */
const isThreadLost = ({ reason, by }: Failure): boolean =>
  by === "thread" || (by === undefined && reason === "worker_lost");

/** Of a session that ends: its target cannot even be asked. */
const unsure = ({ message, ...failure }: Failure): Failure => ({
  ...failure,
  message: `${message}; the session that sent it has ended, and whether it was taken is unknown`,
});

function pauseMs({ tries }: Target, failure: Failure): number {
  if (failure.by === "thread") return threadPauseMs;
  const mostMs = isCounted(failure) ? redeliverMaxMs : worldRetryMaxMs;
  return Math.min(mostMs, redeliverMinMs * 2 ** Math.min(tries - 1, 16));
}

/**
 * It is kept where people find it; only then the letters behind it go on. From here on it is never sent
 * again: it may be kept already.
 */
function bury({ world, out }: Pass, { outbox, tip }: Activation, target: Target, failure: Failure): void {
  const letter = firstOf(target);
  const token = world.unique();
  startBurial(outbox, target, token, failure);
  out.push({ type: "bury", token, source: tip.uid, letter, failure, attempts: target.attempts });
}

function replied(pass: Pass, activation: Activation, event: StoreReply): boolean {
  const { outbox } = activation;
  const { bell } = outbox;
  if (bell.type === "ringing" && bell.token === event.token) {
    const isFull = event.type === "rejected";
    const retryAtMs = pass.world.monotonicMs + (isFull ? rejectedRetryMs : resendMinMs);
    const { dueMs } = bell;
    setBell(
      outbox,
      event.type === "rung" ? { type: "rung", seq: event.seq, dueMs } : { type: "none", retryAtMs },
    );
    // what sends would wait in vain for a store that is full
    if (isFull && activation.turns.sending > 0) takeNothing(pass, activation, event.why);
    return true;
  }
  const isKept = event.type === "buried";
  const target = endBurial(outbox, event.token, isKept);
  if (target === undefined) return false;
  if (isKept) over(pass, activation, target);
  else waitUntil(outbox, target, pass.world.monotonicMs + worldRetryMaxMs);
  return true;
}

/** The first letter of the target is over; the next one may go. */
function over({ out }: Pass, { number: activation, outbox }: Activation, target: Target): void {
  const letter: Letter = endLetter(outbox, target);
  makeReady(outbox, target);
  out.push({ type: "outbox", activation, messages: -1, timers: 0, bytes: -sendBytes(letter) });
}

/** The session goes, with nothing left to deliver: nobody need wake it, or not before its bell says. */
export function unring({ out }: Pass, { outbox, timers }: Activation, isGone: boolean): void {
  const { bell } = outbox;
  if (bell.type !== "rung" || outbox.letters.size > 0) return;
  forgetBell(outbox);
  out.push({ type: "unring", seq: isGone || timers.table.size === 0 ? bell.seq : bell.seq - 1 });
}

/** Nothing that a handler did: it would be no better off as a dead letter. */
const ofTheWorld: ReadonlySet<string> = new Set([
  "store_away",
  "store_full",
  "not_owner",
  "draining",
  "closed",
  "interrupted",
  "fenced",
  "no_capacity",
  "queue_full",
  "quota",
  "namespace_quota",
  "busy",
] satisfies Reason[]);

/** A handler may have reasons of its own, and call them as it likes. */
const isCounted = ({ reason, by }: Failure): boolean => by !== undefined || !ofTheWorld.has(reason);

/** Another revision of the agent may do it. */
const notFinal: ReadonlySet<string> = new Set(["schema", "unsupported_format"] satisfies Reason[]);

const isFinal = ({ code, reason, by }: Failure): boolean =>
  isFinalCode(code) && (by === "handler" || !(notFinal.has(reason) || ofTheWorld.has(reason)));

const days = letterLifeMs / 86_400_000;
const tooOld: Failure = fail(
  "turn_timeout",
  `given up after ${days} days, as long as a message waits to be taken`,
).failure;
