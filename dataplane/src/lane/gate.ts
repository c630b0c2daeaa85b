// What the worker says, and when its answers may leave (PROTOCOL.md 5.3, 5.5).
import { bytesOfSends, isAtOnce } from "../call/index.ts";
import type { TurnMessage } from "../turn/index.ts";
import { dropAsks } from "./ask-gate.ts";
import { storeAnswer } from "./dedupe.ts";
import { endSteps } from "./journals.ts";
import type { Activation, Pass, Slice } from "./lane.ts";
import { acceptLetters } from "./outbox.ts";
import { checkRoom, sizesOf } from "./outbox-room.ts";
import type { TurnsRecord } from "./record.ts";
import { noteSeen } from "./seen.ts";
import type { Sizes } from "./send-sizes.ts";
import { replyWork } from "./share.ts";
import { endSuspect } from "./suspects.ts";
import { applyTimers } from "./timers.ts";
import { wantClaimToRead } from "./tip.ts";
import { acceptTurn, addOutput, addTurn, hasOutput, type Turned, takeOutputs } from "./turns.ts";

/** Opens in each pass: accepted turns, a claim or a renewed lease may each be what an answer waited for. */
export const gate: Slice = { advance: openGate };

/** A turn took place: its answer waits for the record that will hold it. */
export function turned(pass: Pass, activation: Activation, event: TurnMessage & { type: "turned" }): void {
  const { lane } = pass;
  checkRoom(activation, event.sends);
  const work = addTurn(activation.turns, event);
  dropAsks(pass, activation, work);
  endSteps(activation.journals, work);
  const bytes = event.delta.length + event.answer.length + bytesOfSends(event.sends);
  // a delta is memory until its record is accepted: it counts against pipelineBytesMax as bodies do
  work.bytes += bytes;
  lane.workBytes += bytes;
}

/** A reader ended, or a turn failed: its answer waits until all that it has seen is accepted. */
export function seen(
  pass: Pass,
  activation: Activation,
  event: TurnMessage & { type: "failed" | "read" },
): void {
  const { lane } = pass;
  const { turns, tip } = activation;
  const work = addOutput(turns, event);
  dropAsks(pass, activation, work);
  endSteps(activation.journals, work);
  // what a failed turn saw may be old news for a call that comes later: that one runs for itself
  if (work.key !== undefined && lane.running.get(work.key) === work) lane.running.delete(work.key);
  wantClaimToRead(tip);
}

/**
 * Lets answers go whose every turn is accepted, while this node is the owner by the clock of this instant.
 * From the moment its release is sent, or its connection is lost, it is not. What is not born needs no owner:
 * its readers came before the proof.
 */
function openGate(pass: Pass, { turns, tip, verification }: Activation): void {
  if (!hasOutput(turns)) return;
  // the lease is asked for now, in the pass that sends: one that was valid at the read may have ended since
  const isOurs = tip.claim === "owner" || (tip.claim === "held" && tip.readable);
  const mayLeave = tip.claim === "unborn" || (isOurs && verification.verified && pass.world.leaseValid());
  if (!mayLeave) return;
  for (const { work, answer } of takeOutputs(turns)) replyWork(pass, work, answer, tip.n, tip.uid);
}

/**
 * The record with these turns lies in the lane: they are answered, and their answers stay under their ids.
 */
export function acceptTurns(
  pass: Pass,
  activation: Activation,
  record: TurnsRecord,
  accepted: readonly Turned[],
): void {
  const { turns, tip, dedupe, outbox, timers, suspects } = activation;
  for (const [i, turn] of accepted.entries()) {
    acceptTurn(turns, turn);
    const { work, answer } = turn;
    const key = record.turns[i]?.key;
    if (key !== undefined) storeAnswer(dedupe, key, record, answer);
    replyWork(pass, work, answer, record.n, tip.uid);
  }
  for (const mark of record.seen) {
    noteSeen(activation.seen, mark);
    endSuspect(suspects, mark.source, mark.n);
  }
  const before = sizesOf(activation);
  if (record.outbox !== undefined) acceptLetters(outbox, record.outbox);
  applyTimers(timers, record.timers);
  if (record.timers.length > 0) correct(pass, activation, before, accepted);
}

/**
 * The worker counts each message that its turns send, and each timer that they set, as one more: it is told
 * of timers that are letters now, and of those that took the place of others or were cancelled.
 */
function correct({ out }: Pass, activation: Activation, before: Sizes, accepted: readonly Turned[]): void {
  const { number } = activation;
  const after = sizesOf(activation);
  const sends = accepted.flatMap((turn) => turn.sends);
  const atOnce = sends.filter(isAtOnce).length;
  const messages = after.messages - before.messages - atOnce;
  const timers = after.timers - before.timers - (sends.length - atOnce);
  const bytes = after.bytes - before.bytes - bytesOfSends(sends);
  // in one message, for between two of them a handler could be refused for room that there is: timers that
  // fire are messages more and timers less
  if (messages !== 0 || timers !== 0 || bytes !== 0)
    out.push({ type: "outbox", activation: number, messages, timers, bytes });
}
