// Appends: what the next record is, and what follows when it is accepted (PROTOCOL.md 5.2).
import { assert } from "@voda/stdx";
import { type CallHead, isAtOnce } from "../call/index.ts";
import { arrived, backOff, depart, type Flight, markRefused, markSettling } from "./append.ts";
import { rejectedRetryMs, settleMaxMs } from "./constants.ts";
import { carryOut } from "./control.ts";
import { rememberedAt } from "./dedupe.ts";
import { hasDue, isBellExact, mayLeave, unring } from "./delivery.ts";
import { boundary, countTail, foldLater, pagesOf } from "./fold.ts";
import { acceptTurns } from "./gate.ts";
import { journalsAt, takeJournal, turnIdOf } from "./journals.ts";
import { type Activation, armAppend, isQuiet, type Pass, type Slice, type StoreReply } from "./lane.ts";
import { drop, takeNothing } from "./memory.ts";
import { outboxAt, takeLetters } from "./outbox.ts";
import { encodeRecord, type LaneRecord } from "./record.ts";
import { hasSeals, sealed, takeSeals } from "./seals.ts";
import { seenAt } from "./seen.ts";
import { failCall, notTaken, storeFull } from "./share.ts";
import { foldAccepted, noteCovered, readyFold, trimAsleep } from "./snapshot.ts";
import { acceptJournal } from "./step-gate.ts";
import { acceptSuspects, suspectsAt, takeSuspects } from "./suspects.ts";
import { takeTimers, timersAt } from "./timers.ts";
import { acceptTip, markOf, releaseTip } from "./tip.ts";
import { addTrail, trailAt } from "./trail.ts";
import { entryOf, journalKeepMs, seenOf, type Turned, takeTurns } from "./turns.ts";
import type { World } from "./types.ts";

/**
 * Forms the next record as soon as no other is on its way: what came meanwhile makes one record together, so
 * a slow store gets larger records and not a longer queue.
 */
export const commit: Slice = { advance, replied, disconnected: ({ append }) => markSettling(append) };

function advance(pass: Pass, activation: Activation): void {
  const isFree = activation.append.flight === undefined && activation.verification.query === undefined;
  if (isFree && mayAppend(pass, activation)) appendNext(pass, activation);
  advanceFlight(pass, activation);
}

function mayAppend({ lane }: Pass, { verification, tip }: Activation): boolean {
  return lane.connected && verification.verified && (tip.claim === "held" || tip.claim === "owner");
}

/** Appends what waits. */
function appendNext(pass: Pass, activation: Activation): void {
  const { lane, world } = pass;
  const { tip, turns, fold, orders, dedupe, outbox, timers, journals, suspects } = activation;
  const isEnding = orders.closing === "end";
  // a tombstone takes the place of everything: it goes when no turn is left that would come after it, and
  // nothing that was sent waits to be delivered
  if (isEnding && isQuiet(activation) && outbox.letters.size === 0) {
    const seen = seenAt(activation.seen, world.storeMs);
    send(pass, activation, { type: "gone", ...rememberedAt(dedupe, world.storeMs), seen }, {});
    return;
  }
  // a fold goes before turns that wait, or a busy session would never get to its fold
  const ready = isEnding ? undefined : readyFold(lane, activation, world.storeMs);
  if (ready !== undefined) {
    // what sleeps is woken by its bell alone, at the time that it says
    if (ready.body.released && !isBellExact(activation)) return;
    const seen = seenAt(activation.seen, world.storeMs);
    const journal = journalsAt(journals, world.storeMs);
    const suspected = suspectsAt(suspects, world.storeMs, ready.body.released);
    const messages = {
      outbox: outboxAt(outbox),
      seen,
      timers: timersAt(timers),
      journal,
      ...(suspected.length > 0 && { suspects: suspected }),
    };
    const body = { ...ready.body, ...rememberedAt(dedupe, world.storeMs), ...messages };
    send(pass, activation, body, { trim: ready.plan });
    return;
  }
  // a bare claim: a record without turns
  const isNothing =
    turns.pending.length === 0 && journals.pending.length === 0 && suspects.pending.size === 0;
  // whoever drops or retries a dead letter must not see it rise; one that goes to sleep says so by its fold
  const hasGraves = outbox.graves.size > 0 && orders.closing !== "sleep";
  const isBare = isNothing && !hasGraves && !hasSeals(lane, activation) && !hasDue(pass, activation);
  if (isBare && !(tip.wantsClaim && tip.claim === "held")) return;
  if (!mayLeave(pass, activation)) return;
  const taken = takeTurns(turns, boundary(fold));
  const entries = taken.map((turned) => entryOf(turned, world.monotonicMs));
  const storeMs = atMs(world);
  const seals = takeSeals(lane, activation);
  const seen = [...seenOf(taken, storeMs), ...sealed(seals, storeMs)];
  const sends = taken.flatMap((turned) => turned.sends);
  const { changes, fired } = takeTimers(timers, outbox, sends, {
    nowMs: storeMs,
    fires: hasDue(pass, activation),
  });
  const letters = [...sends.filter(isAtOnce), ...fired];
  const sent = takeLetters(outbox, letters, storeMs);
  const ended = endedBy(pass, activation, taken, seals);
  const journal = takeJournal(journals, ended, storeMs, (work) => journalKeepMs(work, world.monotonicMs));
  const suspected = takeSuspects(suspects);
  const trail = trailAt(activation.trail, tip.n);
  const body: Body = {
    type: "turns",
    turns: entries,
    outbox: sent,
    seen,
    timers: changes,
    journal,
    ...(suspected.length > 0 && { suspects: suspected }),
    ...(trail !== undefined && { trail }),
  };
  send(pass, activation, body, { turns: taken, seals });
}

/** Turns that take place, and those that never will: of what was sent here and is given up. */
function endedBy(
  { lane }: Pass,
  { journals, tip }: Activation,
  taken: readonly Turned[],
  seals: readonly CallHead[],
): readonly Uint8Array[] {
  if (journals.turns.size === 0 && journals.pending.length === 0) return [];
  const jobs = [...taken.map(({ work }) => work.job), ...seals].filter(({ id }) => id !== undefined);
  return jobs.map((job) => turnIdOf(lane.hash, tip.uid, job, tip.incarnation));
}

type Omitted = "rid" | "prev" | "prevHash" | "n" | "epoch" | "uid" | "from" | "storeMs" | "born" | "name";
type Body = LaneRecord extends infer R ? (R extends LaneRecord ? Omit<R, Omitted> : never) : never;

/**
 * Writes the record that follows the tip and sends it for the first time. The token is the record's counter
 * too: it tells the record from every other of this incarnation.
 */
function send(
  pass: Pass,
  activation: Activation,
  body: Body,
  { turns = [], seals = [], trim }: Partial<Pick<Flight, "turns" | "seals" | "trim">>,
): void {
  const { lane, world, out } = pass;
  const { tip } = activation;
  const token = world.unique();
  const record: LaneRecord = {
    rid: { incarnation: tip.incarnation, counter: token },
    prev: tip.prev,
    prevHash: tip.prevHash,
    n: tip.n + 1,
    epoch: tip.epoch,
    uid: tip.uid,
    from: body.type === "fold" ? body.covers + 1 : activation.fold.from,
    storeMs: atMs(world),
    born: tip.born,
    name: tip.born || body.type === "fold" ? lane.name : undefined,
    ...body,
  };
  const bytes = encodeRecord(record, lane.crc32);
  const { dueAtMs } = depart(
    activation.append,
    { token, record, bytes, turns, seals, trim },
    world.monotonicMs,
  );
  // from the sending on, not from the acknowledgement: that one may be lost while the next owner writes
  if (record.type === "gone" || (record.type === "fold" && record.released)) releaseTip(tip);
  out.push({ type: "append", token, expect: tip.expect, bytes, gone: record.type === "gone" });
  armAppend(pass, dueAtMs);
}

/** Rounded down: an age that is computed from it is never too small. */
const atMs = ({ storeMs }: World): number => Math.max(0, Math.floor(storeMs));

/** The same record again, with the same expectation: at most one copy can ever be accepted. */
function advanceFlight(pass: Pass, activation: Activation): void {
  const { lane, world, out } = pass;
  const { flight } = activation.append;
  if (flight === undefined || activation.verification.query !== undefined) return;
  if (world.monotonicMs < flight.dueAtMs) {
    armAppend(pass, flight.dueAtMs);
    return;
  }
  // nobody knows whether it lies in the lane: the next wake reads what does
  if (world.monotonicMs - flight.startedAtMs >= settleMaxMs) {
    drop(pass, activation, "dropped", "unknown");
    return;
  }
  backOff(flight, world.monotonicMs);
  armAppend(pass, flight.dueAtMs);
  if (!lane.connected || !activation.verification.verified || !mayLeave(pass, activation)) return;
  const { token, bytes, record } = flight;
  out.push({ type: "append", token, expect: activation.tip.expect, bytes, gone: record.type === "gone" });
}

function replied(pass: Pass, activation: Activation, event: StoreReply): boolean {
  const { flight } = activation.append;
  if (flight?.token !== event.token) return false;
  if (event.type === "appended") committed(pass, activation, flight, event.seq);
  // while a query about it is under way, or the connection is down, the refusal says nothing new
  else if (event.type === "refused" && activation.verification.query === undefined && pass.lane.connected)
    markRefused(flight);
  // after a resend an earlier copy may be stored: then only a read can tell
  else if (event.type === "rejected" && !flight.settling) rejected(pass, activation, flight, event.why);
  return true;
}

/**
 * The only copy that was sent is not stored, and will not be. Everybody who waits for it hears that at once;
 * what is in memory goes, but the session stays ours: nobody else may claim it, so that it can be read from
 * the lane again.
 */
function rejected(pass: Pass, activation: Activation, flight: Flight, why: string): void {
  const { append, fold } = activation;
  arrived(append);
  // no caller waits for a fold: the session goes on with a longer tail
  if (flight.record.type === "fold" && !flight.record.released) {
    const retryAtMs = pass.world.monotonicMs + rejectedRetryMs;
    foldLater(fold, retryAtMs);
    pass.out.push({ type: "timer", timer: "fold", atMs: retryAtMs });
    return;
  }
  for (const { number } of flight.seals) failCall(pass, number, storeFull(why));
  takeNothing(pass, activation, why);
}

const isBareClaim = (record: LaneRecord): boolean =>
  record.type === "turns" &&
  record.turns.length === 0 &&
  record.outbox === undefined &&
  record.timers.length === 0 &&
  record.seen.length === 0 &&
  record.journal === undefined &&
  record.suspects === undefined;

/** The record in flight lies in the lane at `seq`. */
export function committed(pass: Pass, activation: Activation, flight: Flight, seq: number): void {
  const { record } = flight;
  const { tip, fold } = activation;
  assert(seq > tip.expect, `record accepted at ${seq}, not after ${tip.expect}`);
  arrived(activation.append);
  const { born } = tip;
  const isFirst = acceptTip(tip, record, seq, pass.lane.hash(flight.bytes));
  const isGone = record.type === "gone";
  const isUrgent = isGone || (record.type === "fold" && record.released);
  // without a bare claim the lane says the same: a wake that only reads costs no mark
  if (born || !isBareClaim(record)) pass.out.push({ type: "mark", mark: markOf(tip, isGone), isUrgent });
  countTail(fold, flight.bytes.length);
  addTrail(activation.trail, seq);
  // order matters to the host: a session shows as owned before any answer of it leaves
  if (isFirst) {
    pass.out.push({ type: "owned", epoch: record.epoch, born, isNamed: !born && fold.last !== undefined });
    carryOut(pass, activation.orders, "wake");
  }
  if (isUrgent) unring(pass, activation, isGone);
  // before what the record says of letters that are over, as in replay: those have ended
  if (record.type === "turns" && record.suspects !== undefined)
    acceptSuspects(activation.suspects, record.suspects);
  // answers first; what follows may drop the activation
  if (record.type === "turns") acceptTurns(pass, activation, record, flight.turns);
  if (record.type === "turns" && record.journal !== undefined)
    acceptJournal(pass, activation, record.journal);
  for (const { number } of flight.seals) failCall(pass, number, notTaken());
  noteCovered(activation);
  if (record.type === "fold" && flight.trim !== undefined)
    foldAccepted(pass, activation, record, seq, flight.trim);
  if (record.type === "fold" && record.released) {
    trimAsleep(pass, record, tip.prevHash);
    drop(pass, activation, "released", "nothing");
  }
  if (record.type === "gone") end(pass, activation);
}

/** The session is deleted. */
function end(pass: Pass, activation: Activation): void {
  carryOut(pass, activation.orders, "end");
  const names = pagesOf(activation.fold);
  if (names.length > 0) pass.out.push({ type: "deletePages", names });
  drop(pass, activation, "ended", "nothing");
}
