// What became of an append, and whether our last record is still there (PROTOCOL.md 5.4, 5.9). Reads are
// hints: only a later record in its place proves that an append will never be accepted.
import { resendAt, takeRefusal } from "./append.ts";
import { committed } from "./commit.ts";
import { resendMinMs, undecidedMs } from "./constants.ts";
import { type Activation, armAppend, type Reply, type Slice, type Step } from "./lane.ts";
import { type Asked, ask, lookAgainAt, loseSight, stopAsking, verify } from "./look.ts";
import { drop, readRow } from "./memory.ts";
import type { Row } from "./replay.ts";
import type { Stored } from "./types.ts";
import { noRecord, sameRecord } from "./words.ts";

export const settle: Slice = { advance, replied, disconnected: ({ look }) => loseSight(look) };

/** Looks after a refused append, and before anything else on a new connection when something waits for it. */
function advance(step: Step, activation: Activation): void {
  const { lane, world } = step;
  const { look, append } = activation;
  // it was accepted meanwhile: what was asked about it does not matter any more
  if (look.asked?.why === "settle" && append.flight === undefined) stopAsking(look);
  if (takeRefusal(append)) {
    askLast(step, activation, "settle");
    return;
  }
  if (look.verified || !lane.connected || look.asked !== undefined || !isWanted(step, activation)) return;
  if (world.monotonicMs < look.againAtMs) armAppend(step, look.againAtMs);
  else askLast(step, activation, "verify");
}

function isWanted({ lane }: Step, { orders, append, turns, fold }: Activation): boolean {
  if (lane.queue.length > 0 || orders.waiting.length > 0 || append.flight !== undefined) return true;
  return (
    orders.closing !== undefined ||
    turns.jobs.size > 0 ||
    turns.pending.length > 0 ||
    fold.making.stage !== "none"
  );
}

function askLast({ world, out }: Step, { look }: Activation, why: Asked["why"]): void {
  const token = world.unique();
  ask(look, { token, stage: "last", why });
  out.push({ type: "readLast", token, leader: true });
}

function replied(step: Step, activation: Activation, event: Reply): boolean {
  const { look } = activation;
  const { asked } = look;
  if (asked?.token !== event.token) return false;
  stopAsking(look);
  if (event.type === "last" && asked.stage === "last") lastSeen(step, activation, asked, event.record);
  else if (event.type === "range" && asked.stage === "range") rangeSeen(step, activation, event.records);
  else if (event.type === "store_failed") lookLater(step, activation, resendMinMs);
  return true;
}

function lookLater(step: Step, { look, append }: Activation, inMs: number): void {
  const atMs = step.world.monotonicMs + inMs;
  lookAgainAt(look, atMs);
  resendAt(append, atMs);
  armAppend(step, atMs);
}

function lastSeen(step: Step, activation: Activation, asked: Asked, stored: Stored | undefined): void {
  const { look, tip } = activation;
  const { flight } = activation.append;
  const row = stored === undefined ? undefined : readRow(step, stored);
  if (row === "unreadable") return;
  const seq = row?.seq ?? 0;
  const rid = row?.record.rid ?? noRecord;
  if (flight !== undefined && sameRecord(rid, flight.record.rid)) {
    verify(look);
    committed(step, activation, flight, seq);
  } else if (seq === tip.expect && sameRecord(rid, tip.rid)) {
    unmoved(step, activation, asked);
  } else if (seq <= tip.expect) {
    lost(step, activation);
  } else {
    const token = step.world.unique();
    ask(look, { ...asked, token, stage: "range" });
    step.out.push({ type: "readRange", token, from: Math.max(1, tip.expect), leader: true, limit: 2 });
  }
}

/** Nothing is newer than our last record. An append in flight may still arrive: it is sent again. */
function unmoved(step: Step, activation: Activation, asked: Asked): void {
  const { look, append } = activation;
  verify(look);
  if (append.flight === undefined) return;
  if (asked.why === "verify") resendAt(append, step.world.monotonicMs);
  else lookLater(step, activation, undecidedMs);
}

function rangeSeen(step: Step, activation: Activation, stored: readonly Stored[]): void {
  const { tip } = activation;
  const { flight } = activation.append;
  const rows: Row[] = [];
  for (const one of stored) {
    const row = readRow(step, one);
    if (row === "unreadable") return;
    rows.push(row);
  }
  const own = rows.find((row) => row.seq === tip.expect);
  const next = rows.find((row) => row.seq > tip.expect);
  if (own !== undefined && !sameRecord(own.record.rid, tip.rid)) {
    lost(step, activation);
  } else if (next === undefined) {
    lookLater(step, activation, undecidedMs);
  } else if (flight !== undefined && sameRecord(next.record.rid, flight.record.rid)) {
    committed(step, activation, flight, next.seq);
    if (step.lane.activation === activation) drop(step, activation, "fenced", "nothing");
  } else {
    // a record that links to our last one took the place of the one in flight; else the place was trimmed,
    // and nobody knows
    drop(step, activation, "fenced", sameRecord(next.record.prev, tip.prev) ? "nothing" : "unknown");
  }
}

/** Our last record is gone and nothing newer links to it. */
function lost(step: Step, activation: Activation): void {
  const { rid, expect } = activation.tip;
  const message = `record ${rid.incarnation}.${rid.counter} at sequence ${expect} vanished`;
  step.out.push({ type: "alarm", alarm: "data_loss", message });
  drop(step, activation, "fenced", "unknown");
}
