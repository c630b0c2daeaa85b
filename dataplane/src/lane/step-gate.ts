// When turns may do something outside of the session, and that its result is in the lane before they go on
// (docs/effects.md).
import { unknownEffect } from "@voda/proto/wire";
import { bytesEqual } from "@voda/stdx";
import {
  type Failure,
  fail,
  journalBytesMax,
  type StepAnswer,
  type StepDoneMessage,
  type StepMessage,
  turnJournalBytesMax,
  turnStepsMax,
} from "../call/index.ts";
import { retryAfterMs } from "./constants.ts";
import {
  addPending,
  addWaiting,
  beginStep,
  bytesOf,
  endStep,
  endWriting,
  findJournal,
  hasRoom,
  keepTimes,
  noteJournal,
  recalledOf,
  stepKeyOf,
  stepsOf,
  stepText,
  type TurnStep,
  takeWaiting,
  timesOf,
  turnBytesOf,
  turnIdOf,
  unacceptedOf,
} from "./journals.ts";
import type { Activation, Pass, Slice } from "./lane.ts";
import type { JournalPart } from "./record-journal.ts";
import { keyReused } from "./share.ts";
import { wantClaim } from "./tip.ts";
import type { Work } from "./work.ts";

/** A step cannot be taken back: as an ask, it begins from committed state only, under a durable claim. */
export const stepGate: Slice = { advance };

/** A handler wants to do something. */
export function noteStep({ lane }: Pass, { journals, turns, tip }: Activation, event: StepMessage): void {
  const work = turns.jobs.get(event.by);
  if (work?.stage !== "running") return;
  const { step, name, canonicalHash } = event;
  const turnId = turnIdOf(lane.hash, tip.uid, work.job, tip.incarnation);
  addWaiting(journals, { step, work, name, turnId, after: turns.executed, canonicalHash });
  wantClaim(tip);
}

function advance(pass: Pass, activation: Activation): void {
  const { journals, turns, tip, verification } = activation;
  if (journals.waiting.length === 0) return;
  if (tip.claim !== "owner" || !verification.verified || !pass.world.leaseValid()) return;
  // an entry that is on its way was made when the call ran before
  const mayBegin = (one: TurnStep): boolean =>
    one.after <= turns.accepted && !journals.writing.has(stepText(one));
  for (const one of takeWaiting(journals, mayBegin))
    answer(pass, activation, one.step, begin(pass, activation, one));
}

function begin({ lane, world }: Pass, { journals }: Activation, one: TurnStep): StepAnswer {
  const journal = findJournal(journals, one.turnId, world.storeMs);
  const [first] = journal?.entries.values() ?? [];
  if (first !== undefined && !isSame(first.canonicalHash, one.canonicalHash))
    return { type: "refused", failure: keyReused() };
  const entry = journal?.entries.get(one.name);
  if (entry !== undefined) return { type: "result", result: entry.result };
  // what it did then is not known, and its caller has not called again
  if (one.work.starts > 1) return { type: "ended", failure: mayBeDone(one.name) };
  // from their beginning on: one that is refused after it was done was done for nothing
  if (stepsOf(journals, one) >= turnStepsMax) return { type: "refused", failure: tooManySteps() };
  if (!hasRoom(journals, one.turnId, world.storeMs)) return { type: "refused", failure: journalFull() };
  beginStep(journals, one);
  return { type: "begin", idempotencyKey: stepKeyOf(lane.hash, one) };
}

/** Unless both are known, nothing speaks against it. */
const isSame = (a: Uint8Array | undefined, b: Uint8Array | undefined): boolean =>
  a === undefined || b === undefined || bytesEqual(a, b);

/** It is done. That of a turn which has ended is not kept. */
export function stepDone(
  pass: Pass,
  activation: Activation,
  { step: number, result, drawn: { seed, times: last } }: StepDoneMessage,
): void {
  const { journals } = activation;
  const one = endStep(journals, number);
  if (one === undefined) return;
  const { turnId, name, canonicalHash, work } = one;
  if (work.key === undefined) {
    answer(pass, activation, number, { type: "result", result });
    return;
  }
  const times = timesOf(journals, work, last);
  const entry = { turnId, name, canonicalHash, work, drawn: { seed, times }, result };
  const bytes = bytesOf(entry) + turnBytesOf(journals, turnId);
  if (bytes <= turnJournalBytesMax) return addPending(journals, entry, number);
  // what the turn read of the clock until here it must read again, though nothing is kept of the step: the
  // entry of the next one says it too
  keepTimes(journals, work, times);
  answer(pass, activation, number, { type: "refused", failure: journalTooLarge(name, bytes) });
}

/** The record lies in the lane: those whose steps it holds go on. */
export function acceptJournal(pass: Pass, activation: Activation, part: JournalPart): void {
  const { journals } = activation;
  noteJournal(journals, part);
  for (const entry of part.entries) {
    const number = endWriting(journals, entry);
    if (number !== undefined) answer(pass, activation, number, { type: "result", result: entry.result });
  }
}

/** Before its handler begins: what it drew when it ran before, as far as that is noted or on its way. */
export function recall({ lane, world, out }: Pass, activation: Activation, work: Work): void {
  const { number, journals, tip } = activation;
  const isNone = journals.turns.size === 0 && journals.writing.size === 0;
  if (isNone || work.key === undefined || work.job.readonly) return;
  const turnId = turnIdOf(lane.hash, tip.uid, work.job, tip.incarnation);
  const noted = findJournal(journals, turnId, world.storeMs)?.entries.values() ?? [];
  const recalled = recalledOf([...noted, ...unacceptedOf(journals, turnId)]);
  if (recalled !== undefined)
    out.push({ type: "recall", activation: number, call: work.job.number, recalled });
}

function answer({ out }: Pass, { number }: Activation, step: number, said: StepAnswer): void {
  out.push({ type: "answerStep", activation: number, step, answer: said });
}

const mayBeDone = (name: string): Failure =>
  fail(
    "store_away",
    `ctx.run: step ${JSON.stringify(name)} may have been done before the session left its node or its memory: call again under the same idempotency key to have it done under its own`,
    { metadata: unknownEffect },
  ).failure;
const tooManySteps = (): Failure =>
  fail("too_large", `ctx.run: the journal of a turn holds at most turnStepsMax ${turnStepsMax} steps`)
    .failure;
const journalTooLarge = (name: string, bytes: number): Failure =>
  fail(
    "too_large",
    `ctx.run: step ${JSON.stringify(name)} ran, and its result is not kept: the journal of the turn would take ${bytes} bytes, more than turnJournalBytesMax ${turnJournalBytesMax}; return less of it`,
  ).failure;
const journalFull = (): Failure =>
  fail(
    "journal_full",
    `ctx.run: journals of calls that never came back fill the session, with journalBytesMax ${journalBytesMax}`,
    { retryAfterMs },
  ).failure;
