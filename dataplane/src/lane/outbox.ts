// What the session has sent and is not over: letters by target, each target's in their order, one on its way
// at a time. So a target never sees a number before a lower one that it has not taken (PROTOCOL.md 6.2).
import { assert } from "@voda/stdx";
import { type Failure, type Send, sendBytes } from "../call/index.ts";
import { lettersPerMsMax } from "./constants.ts";
import type { OutboxPart } from "./record-outbox.ts";
import type { Letter } from "./types.ts";

/** One session that letters go to. */
export interface Target {
  readonly letters: Letter[];
  /** ready: the first letter may go. away: it does. waiting: until `retryAtMs`. burying: it is given up. */
  stage: "ready" | "away" | "waiting" | "burying";
  /** How often the first letter has come back, and how often its handler is to blame. */
  tries: number;
  attempts: number;
  /** How many threads its handler has ended. */
  threads: number;
  /** Why the first letter is given up, unless its session says that it was taken. */
  last: Failure | undefined;
  retryAtMs: number;
}

/** A message beside the lane that has the session woken while it has letters and no memory. */
export type BellState =
  | { readonly type: "none"; readonly retryAtMs: number }
  | { readonly type: "ringing"; readonly token: number; readonly dueMs: number }
  | { readonly type: "rung"; readonly seq: number; readonly dueMs: number };

/** The slice. */
export interface Outbox {
  /** Of the letter that a record holds next. */
  next: number;
  /** Letters below it may have been on their way when a node ended. */
  suspectBelow: number;
  /** The lane may have lost a tail whose numbers were given out: the next one is above all of them. */
  isReplayed: boolean;
  /** Letters below it were over when a record last said so. */
  overBelowSaid: number;
  /** By number, ascending: accepted, and not over. */
  readonly letters: Map<number, Letter>;
  readonly targets: Map<string, Target>;
  bytes: number;
  /** Also some whose letters are over. */
  ready: Target[];
  waiting: Target[];
  /** When the first of those that wait may go on, and for when the timer is armed. */
  dueMs: number;
  armedMs: number;
  /** How many letters are on their way. */
  away: number;
  /** Targets whose first letter is given up, by the token of its dead letter. */
  readonly burying: Map<number, Target>;
  /** Given up since a record last said so. */
  readonly graves: Set<number>;
  bell: BellState;
}

export const createOutbox = (): Outbox => ({
  next: 1,
  suspectBelow: 1,
  isReplayed: false,
  overBelowSaid: 1,
  letters: new Map(),
  targets: new Map(),
  bytes: 0,
  ready: [],
  waiting: [],
  dueMs: Number.POSITIVE_INFINITY,
  armedMs: Number.POSITIVE_INFINITY,
  away: 0,
  burying: new Map(),
  graves: new Set(),
  bell: noBell,
});

const noBell: BellState = { type: "none", retryAtMs: 0 };

/** What has become of it. */
export function setBell(outbox: Outbox, bell: BellState): void {
  outbox.bell = bell;
}

/** The timer is armed for that monotonic time; infinity: for none. */
export function setArmed(outbox: Outbox, atMs: number): void {
  outbox.armedMs = atMs;
}

/** It must ring again: what was rung may be among what a server has lost, or is of an earlier incarnation. */
export function forgetBell(outbox: Outbox): void {
  outbox.bell = noBell;
}

/** Letters below it are over. */
export function overBelowOf({ letters, next }: Outbox): number {
  for (const n of letters.keys()) return n;
  return next;
}

/**
 * So much above all numbers that were given out before that none of them comes again, also when the lane has
 * lost a tail, which nobody may know of: a target would hold such a letter for one that it has taken.
 */
export function startNumbers(outbox: Outbox, nowMs: number): void {
  if (!outbox.isReplayed) return;
  outbox.isReplayed = false;
  outbox.next = Math.max(outbox.next, nowMs * lettersPerMsMax);
}

/**
 * The letters of the next record; `undefined` when it has nothing to say. Their numbers are
 * given out: the record is accepted, or this memory is void.
 */
export function takeLetters(outbox: Outbox, sends: readonly Send[], atMs: number): OutboxPart | undefined {
  if (sends.length > 0) startNumbers(outbox, atMs);
  const overBelow = overBelowOf(outbox);
  const letters = sends.map((send): Letter => ({ ...send, n: outbox.next++, atMs }));
  if (letters.length === 0 && overBelow === outbox.overBelowSaid && outbox.graves.size === 0)
    return undefined;
  const buried = [...outbox.graves].filter((n) => n >= overBelow).sort((a, b) => a - b);
  return { overBelow, next: outbox.next, letters, ...(buried.length > 0 && { buried }) };
}

/** All that is not over, for a fold; `undefined` of a session that never sent. */
export function outboxAt(outbox: Outbox): OutboxPart | undefined {
  const { next, letters } = outbox;
  return next === 1 ? undefined : { overBelow: overBelowOf(outbox), next, letters: [...letters.values()] };
}

/** The record lies in the lane: what its turns sent may go. */
export function acceptLetters(outbox: Outbox, { overBelow, letters, buried = [] }: OutboxPart): void {
  outbox.overBelowSaid = Math.max(outbox.overBelowSaid, overBelow);
  for (const n of outbox.graves) if (n < overBelow || buried.includes(n)) outbox.graves.delete(n);
  for (const letter of letters) addLetter(outbox, letter);
}

/** The same of a record that is replayed. What the fold before knows is no news, wherever the record lies. */
export function replayLetters(outbox: Outbox, { overBelow, next, letters, buried = [] }: OutboxPart): void {
  for (const letter of letters)
    if (letter.n >= outbox.next) addLetter(outbox, { ...letter, body: letter.body.slice() });
  outbox.next = Math.max(outbox.next, next);
  outbox.overBelowSaid = Math.max(outbox.overBelowSaid, overBelow);
  for (const n of buried) endUpTo(outbox, n);
  for (const letter of outbox.letters.values()) {
    if (letter.n >= outbox.overBelowSaid) return;
    endLetter(outbox, targetOf(outbox, letter));
  }
}

/** It is over, and so are those that were sent to its target before. */
function endUpTo(outbox: Outbox, n: number): void {
  const letter = outbox.letters.get(n);
  if (letter === undefined) return;
  const target = targetOf(outbox, letter);
  for (const { n: first } of target.letters.slice()) if (first <= n) endLetter(outbox, target);
}

/** Of a target of the outbox: it leaves with its last letter. */
export function firstOf({ letters: [letter] }: Target): Letter {
  assert(letter !== undefined, "a target without letters");
  return letter;
}

/** The first letter of the target is over. */
export function endLetter(outbox: Outbox, target: Target): Letter {
  const letter = firstOf(target);
  outbox.letters.delete(letter.n);
  outbox.bytes -= sendBytes(letter);
  target.letters.shift();
  target.tries = 0;
  target.attempts = 0;
  target.threads = 0;
  target.last = undefined;
  if (target.letters.length === 0) outbox.targets.delete(nameOf(letter));
  return letter;
}

/** It goes on from here. */
export function makeReady(outbox: Outbox, target: Target): void {
  target.stage = "ready";
  outbox.ready.push(target);
}

/** Its first letter goes. */
export function sendFirst(outbox: Outbox, target: Target): void {
  target.stage = "away";
  outbox.away += 1;
}

/** A letter that went has come back, or is over. */
export function noteReturn(outbox: Outbox): void {
  outbox.away -= 1;
}

/** Its first letter has come back. `isCounted`: its handler is to blame. */
export function countTry(target: Target, { by }: Failure, isCounted: boolean): void {
  target.tries += 1;
  if (isCounted) target.attempts += 1;
  if (by === "thread") target.threads += 1;
}

/** From here on its first letter goes only to be asked for. */
export function giveUp(target: Target, why: Failure): void {
  target.last = why;
}

/** Its first letter is to be kept where people find it. */
export function startBurial(outbox: Outbox, target: Target, token: number, why: Failure): void {
  target.stage = "burying";
  target.last = why;
  outbox.burying.set(token, target);
}

/** The store has answered; `undefined`: to something else. `isKept`: it is there. */
export function endBurial(outbox: Outbox, token: number, isKept: boolean): Target | undefined {
  const target = outbox.burying.get(token);
  if (target === undefined) return undefined;
  outbox.burying.delete(token);
  if (isKept) outbox.graves.add(firstOf(target).n);
  return target;
}

/** Its first letter goes again at that monotonic time. */
export function waitUntil(outbox: Outbox, target: Target, atMs: number): void {
  target.stage = "waiting";
  target.retryAtMs = atMs;
  outbox.waiting.push(target);
  outbox.dueMs = Math.min(outbox.dueMs, atMs);
}

/** All that wait are ready: whoever sent them waits no longer. */
export function hurryTargets(outbox: Outbox): void {
  for (const target of outbox.waiting) target.retryAtMs = 0;
  outbox.dueMs = 0;
}

/** Those whose time has come are ready. */
export function wakeTargets(outbox: Outbox, nowMs: number): void {
  if (nowMs < outbox.dueMs) return;
  const { waiting } = outbox;
  outbox.waiting = [];
  outbox.dueMs = Number.POSITIVE_INFINITY;
  for (const target of waiting)
    if (target.retryAtMs <= nowMs) makeReady(outbox, target);
    else waitUntil(outbox, target, target.retryAtMs);
}

/** The one that goes next. */
export function nextTarget(outbox: Outbox): Target | undefined {
  for (let target = outbox.ready.shift(); target !== undefined; target = outbox.ready.shift())
    if (target.letters.length > 0) return target;
  return undefined;
}

/** What is known of letters when memory is dropped: one that ends its thread must come to an end. */
export interface Owed extends Pick<Outbox, "suspectBelow"> {
  /** By the number of the first letter. */
  readonly targets: ReadonlyMap<number, Pick<Target, "tries" | "attempts" | "threads" | "last">>;
}

/** By number; `undefined` when nothing is: the lane may be forgotten. */
export function owedBy({ targets, suspectBelow }: Outbox): Owed | undefined {
  if (targets.size === 0) return undefined;
  const firsts = new Map(Array.from(targets.values(), (target) => [firstOf(target).n, target]));
  return { suspectBelow, targets: firsts };
}

/** The session is in memory. `owed`: again, and nobody else had it. `isBorn`: its source has sent nothing. */
export function openOutbox(outbox: Outbox, owed: Owed | undefined, isBorn: boolean): Outbox {
  outbox.isReplayed = !isBorn;
  // found in the lane: whoever had the session before may have ended under one of them
  outbox.suspectBelow = owed === undefined ? outbox.next : owed.suspectBelow;
  for (const target of outbox.targets.values()) {
    const known = owed?.targets.get(firstOf(target).n);
    if (known === undefined) continue;
    target.tries = known.tries;
    target.attempts = known.attempts;
    target.threads = known.threads;
    target.last = known.last;
  }
  return outbox;
}

/** Of a letter of the outbox. */
export function targetOf(outbox: Outbox, letter: Letter): Target {
  const target = outbox.targets.get(nameOf(letter));
  assert(target !== undefined, "a letter without a target");
  return target;
}

const nameOf = ({ agent, key }: Letter): string => `${agent}/${key}`;

function addLetter(outbox: Outbox, letter: Letter): void {
  const name = nameOf(letter);
  const known = outbox.targets.get(name);
  outbox.letters.set(letter.n, letter);
  outbox.bytes += sendBytes(letter);
  if (known !== undefined) {
    known.letters.push(letter);
    return;
  }
  const made: Target = {
    letters: [letter],
    stage: "ready",
    tries: 0,
    attempts: 0,
    threads: 0,
    last: undefined,
    retryAtMs: 0,
  };
  outbox.targets.set(name, made);
  outbox.ready.push(made);
}
