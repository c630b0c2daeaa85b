// Appends: what the next record is, and what follows when it is accepted (PROTOCOL.md 5.2). One is in flight at a time.
import { assert } from "@voda/stdx";
import { replyWork } from "./calls.ts";
import {
  appendTimeoutMs,
  recordBytesMax,
  recordTurnsMax,
  resendMaxMs,
  resendMinMs,
  settleMaxMs,
} from "./constants.ts";
import { answersAt, storeAnswer } from "./dedupe.ts";
import { boundary, foldAccepted, isQuiet, noteCovered, readyFold } from "./fold.ts";
import type { Activation, Flight, Step, TrimPlan, Turned } from "./lane.ts";
import { drop } from "./memory.ts";
import { encodeRecord, type LaneRecord, type TurnEntry } from "./record.ts";

/** Appends what waits, when nothing is on its way. */
export function advanceAppend(step: Step, activation: Activation): void {
  const { lane, world } = step;
  if (activation.flight !== undefined || activation.look !== undefined) return;
  if (!lane.connected || !activation.verified || activation.claim === "released") return;
  if (activation.closing === "end" && isQuiet(activation)) {
    send(
      step,
      activation,
      { kind: "gone", answers: answersAt(activation.dedupe, world.wallMs) },
      [],
      undefined,
    );
    return;
  }
  const fold = activation.closing === "end" ? undefined : readyFold(lane, activation, world.wallMs);
  if (fold !== undefined) {
    const answers = answersAt(activation.dedupe, world.wallMs);
    send(step, activation, { ...fold.body, answers }, [], fold.plan);
    return;
  }
  if (activation.pending.length === 0 && !(activation.wantsClaim && activation.claim === "held")) return;
  const turns = takeTurns(activation);
  send(step, activation, { kind: "turns", turns: turns.map(entryOf) }, turns, undefined);
}

type Omitted = "rid" | "prev" | "n" | "epoch" | "uid" | "from" | "wallMs" | "born" | "name";
type Body = LaneRecord extends infer R ? (R extends LaneRecord ? Omit<R, Omitted> : never) : never;

function send(
  step: Step,
  activation: Activation,
  body: Body,
  turns: readonly Turned[],
  trim: TrimPlan | undefined,
): void {
  const { lane, world, out } = step;
  const token = world.unique();
  const record: LaneRecord = {
    rid: { incarnation: activation.incarnation, counter: token },
    prev: activation.prev,
    n: activation.n + 1,
    epoch: activation.epoch,
    uid: activation.uid,
    from: body.kind === "fold" ? body.covers + 1 : activation.from,
    wallMs: Math.max(0, Math.floor(world.wallMs)),
    born: activation.born,
    name: activation.born || body.kind === "fold" ? lane.name : undefined,
    ...body,
  };
  const bytes = encodeRecord(record, lane.crc32);
  const startedAtMs = world.monotonicMs;
  const dueAtMs = startedAtMs + appendTimeoutMs;
  const flight = {
    token,
    record,
    bytes,
    turns,
    startedAtMs,
    dueAtMs,
    backoffMs: resendMinMs,
    settling: false,
    trim,
  };
  activation.flight = flight;
  // an acknowledgement may be lost while the next owner writes: nothing is read from here on
  if (record.kind === "gone" || (record.kind === "fold" && record.released)) activation.claim = "released";
  out.push({ type: "append", token, expect: activation.expect, bytes, gone: record.kind === "gone" });
  armAppend(step, dueAtMs);
}

function takeTurns(activation: Activation): Turned[] {
  const { pending } = activation;
  const end = boundary(activation);
  let count = 0;
  let bytes = 0;
  for (const turned of pending) {
    if (count >= recordTurnsMax || turned.turn > end) break;
    bytes += turned.delta.length + turned.answer.length;
    if (count > 0 && bytes > recordBytesMax) break;
    count += 1;
  }
  activation.pending = pending.slice(count);
  return pending.slice(0, count);
}

function entryOf({ work, delta, answer }: Turned): TurnEntry {
  const { id, bodyHash, keepMs } = work.job;
  return { key: id === undefined ? undefined : { id, bodyHash, keepMs }, delta, answer };
}

/** Arms the timer unless it rings early enough: one that rings early does no harm. */
export function armAppend(step: Step, atMs: number): void {
  if (step.lane.appendTimerMs <= atMs) return;
  step.lane.appendTimerMs = atMs;
  step.out.push({ type: "timer", timer: "append", atMs });
}

/** The same record again, with the same expectation: at most one copy can ever be accepted. */
export function advanceFlight(step: Step, activation: Activation): void {
  const { lane, world, out } = step;
  const { flight } = activation;
  if (flight === undefined || activation.look !== undefined) return;
  if (world.monotonicMs < flight.dueAtMs) {
    armAppend(step, flight.dueAtMs);
    return;
  }
  if (world.monotonicMs - flight.startedAtMs >= settleMaxMs) {
    drop(step, activation, "dropped", "unknown");
    return;
  }
  flight.settling = true;
  flight.dueAtMs = world.monotonicMs + flight.backoffMs;
  flight.backoffMs = Math.min(resendMaxMs, flight.backoffMs * 2);
  armAppend(step, flight.dueAtMs);
  if (!lane.connected || !activation.verified) return;
  const gone = flight.record.kind === "gone";
  out.push({ type: "append", token: flight.token, expect: activation.expect, bytes: flight.bytes, gone });
}

/** The record in flight lies in the lane at `seq`. */
export function committed(step: Step, activation: Activation, flight: Flight, seq: number): void {
  const { record } = flight;
  assert(seq > activation.expect, `record accepted at ${seq}, not after ${activation.expect}`);
  const isFirst = activation.claim === "held" && record.rid.incarnation === activation.incarnation;
  const born = activation.born;
  activation.flight = undefined;
  activation.expect = seq;
  activation.n = record.n;
  activation.tip = record.rid;
  activation.prev = record.rid;
  activation.born = false;
  activation.tailRecords += 1;
  activation.tailBytes += flight.bytes.length;
  if (isFirst) {
    activation.claim = "owner";
    activation.wantsClaim = false;
    step.out.push({ type: "owned", epoch: record.epoch, born });
    for (const { action, call } of activation.orders)
      if (action === "wake") step.out.push({ type: "done", call: call.call });
    activation.orders = activation.orders.filter(({ action }) => action !== "wake");
  }
  acceptTurns(step, activation, flight);
  noteCovered(activation);
  if (record.kind === "fold" && flight.trim !== undefined)
    foldAccepted(step, activation, record, seq, flight.trim);
  if (record.kind === "fold" && record.released) close(step, activation, "released");
  if (record.kind === "gone") close(step, activation, "ended");
}

function acceptTurns(step: Step, activation: Activation, { record, turns }: Flight): void {
  for (const { turn, work, answer } of turns) {
    activation.accepted = Math.max(activation.accepted, turn);
    activation.jobs.delete(work.job.call);
    const { id, bodyHash, keepMs } = work.job;
    if (id !== undefined) storeAnswer(activation.dedupe, { id, bodyHash, keepMs }, record, answer, work.key);
    replyWork(step, work, answer, record.n, activation.uid);
  }
}

/** The session sleeps, or is deleted: its orders are carried out. */
function close(step: Step, activation: Activation, why: "released" | "ended"): void {
  const { out } = step;
  if (why === "ended") {
    for (const { action, call } of activation.orders)
      if (action === "end") out.push({ type: "done", call: call.call });
    activation.orders = activation.orders.filter(({ action }) => action !== "end");
    const names = [
      ...activation.table.map((entry) => entry.name),
      ...activation.retired.flatMap((pages) => pages.names),
    ];
    if (names.length > 0) out.push({ type: "deletePages", names });
  }
  drop(step, activation, why, "nothing");
}
