// What became of an append, and whether our last record is still there (PROTOCOL.md 5.4, 5.9). Reads are hints: only a later record
// in its place proves that an append will never be accepted.
import { DecodeError } from "@voda/stdx";
import { armAppend, committed } from "./commit.ts";
import { resendMinMs, undecidedMs } from "./constants.ts";
import type { Activation, Look, Step } from "./lane.ts";
import { drop, giveUpCorrupt } from "./memory.ts";
import { decodeRecord, noRecord, sameRecord } from "./record.ts";
import type { Row } from "./replay.ts";
import type { LaneEvent, Stored } from "./types.ts";

/** The first read on a new connection, when something waits for it. */
export function advanceVerify(step: Step, activation: Activation): void {
  const { lane, world } = step;
  if (activation.verified || !lane.connected || activation.look !== undefined || !isWanted(step, activation))
    return;
  if (world.monotonicMs < activation.lookAgainAtMs) armAppend(step, activation.lookAgainAtMs);
  else look(step, activation, "verify");
}

function isWanted({ lane }: Step, activation: Activation): boolean {
  if (lane.queue.length > 0 || activation.orders.length > 0 || activation.flight !== undefined) return true;
  return (
    activation.closing !== undefined ||
    activation.jobs.size > 0 ||
    activation.pending.length > 0 ||
    activation.fold.stage !== "none"
  );
}

/** 10071 or 10164: it decides nothing. */
export function refused(step: Step, activation: Activation): void {
  if (activation.flight === undefined || activation.look !== undefined || !step.lane.connected) return;
  activation.flight.settling = true;
  look(step, activation, "settle");
}

function look(step: Step, activation: Activation, why: Look["why"]): void {
  const token = step.world.unique();
  activation.look = { token, stage: "last", why };
  step.out.push({ type: "readLast", token, leader: true });
}

export function lookFailed(step: Step, activation: Activation): void {
  activation.look = undefined;
  lookLater(step, activation, resendMinMs);
}

function lookLater(step: Step, activation: Activation, inMs: number): void {
  const atMs = step.world.monotonicMs + inMs;
  activation.lookAgainAtMs = atMs;
  if (activation.flight !== undefined) activation.flight.dueAtMs = atMs;
  armAppend(step, atMs);
}

export function lastSeen(step: Step, activation: Activation, found: Look, stored: Stored | undefined): void {
  const { flight } = activation;
  activation.look = undefined;
  const row = stored === undefined ? undefined : decodeRow(step, stored);
  if (row === "corrupt") return;
  const seq = row?.seq ?? 0;
  const rid = row?.record.rid ?? noRecord;
  if (flight !== undefined && sameRecord(rid, flight.record.rid)) {
    activation.verified = true;
    committed(step, activation, flight, seq);
  } else if (seq === activation.expect && sameRecord(rid, activation.tip)) {
    unmoved(step, activation, found);
  } else if (seq <= activation.expect) {
    lost(step, activation);
  } else {
    const token = step.world.unique();
    activation.look = { ...found, token, stage: "range" };
    step.out.push({ type: "readRange", token, from: Math.max(1, activation.expect), leader: true, limit: 2 });
  }
}

/** Nothing is newer than our last record. An append in flight may still arrive: it is sent again. */
function unmoved(step: Step, activation: Activation, found: Look): void {
  const { flight } = activation;
  activation.verified = true;
  if (flight === undefined) return;
  if (found.why === "verify") flight.dueAtMs = step.world.monotonicMs;
  else lookLater(step, activation, undecidedMs);
}

export function rangeSeen(step: Step, activation: Activation, stored: readonly Stored[]): void {
  const { flight } = activation;
  activation.look = undefined;
  const rows: Row[] = [];
  for (const one of stored) {
    const row = decodeRow(step, one);
    if (row === "corrupt") return;
    rows.push(row);
  }
  const own = rows.find((row) => row.seq === activation.expect);
  const next = rows.find((row) => row.seq > activation.expect);
  if (own !== undefined && !sameRecord(own.record.rid, activation.tip)) {
    lost(step, activation);
  } else if (next === undefined) {
    lookLater(step, activation, undecidedMs);
  } else if (flight !== undefined && sameRecord(next.record.rid, flight.record.rid)) {
    committed(step, activation, flight, next.seq);
    if (step.lane.activation === activation) drop(step, activation, "fenced", "nothing");
  } else {
    // a record that links to our last one took the place of the one in flight; else the place was trimmed, and nobody knows
    drop(step, activation, "fenced", sameRecord(next.record.prev, activation.prev) ? "nothing" : "unknown");
  }
}

/** Our last record is gone and nothing newer links to it. */
function lost(step: Step, activation: Activation): void {
  const message = `record ${activation.tip.incarnation}.${activation.tip.counter} at sequence ${activation.expect} vanished`;
  step.out.push({ type: "alarm", alarm: "data_loss", message });
  drop(step, activation, "fenced", "unknown");
}

export function decodeRow(step: Step, { seq, bytes }: Stored): Row | "corrupt" {
  try {
    return { seq, record: decodeRecord(bytes, step.lane.crc32), bytes: bytes.length };
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    giveUpCorrupt(step, `record at sequence ${seq}: ${error.message}`);
    return "corrupt";
  }
}

/** Which look a reply of the store belongs to. */
export function lookOf(activation: Activation, event: LaneEvent & { token: number }): Look | undefined {
  return activation.look?.token === event.token ? activation.look : undefined;
}
