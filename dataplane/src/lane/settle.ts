// What became of an append, and whether our last record is still there (PROTOCOL.md 5.4, 5.9). Reads are
// hints: only a later record in its place proves that an append will never be accepted.
import { isBehind } from "@voda/proto/mark";
import { resendAt, takeRefusal } from "./append.ts";
import { committed } from "./commit.ts";
import { resendMinMs, undecidedMs } from "./constants.ts";
import { type Activation, armAppend, hasLetters, type Pass, type Slice, type StoreReply } from "./lane.ts";
import { drop, readStored } from "./memory.ts";
import type { DecodedRecord } from "./replay.ts";
import { markOf } from "./tip.ts";
import type { LaneEvent, StoredRecord } from "./types.ts";
import { clearQuery, retryAt, setQuery, type TipQuery, unverify, verify } from "./verification.ts";
import { noRecord, sameRecord } from "./words.ts";

/**
 * Asks the leader when a record's fate is open, and on each new connection before anything else is sent: the
 * store may have lost its tail, or another node may have written, while nobody looked.
 */
export const settle: Slice = { advance, replied, disconnected: ({ verification }) => unverify(verification) };

/** Looks after a refused append, and before anything else on a new connection when something waits for it. */
function advance(pass: Pass, activation: Activation): void {
  const { lane, world } = pass;
  const { verification, append } = activation;
  // it was accepted meanwhile: what was asked about it does not matter any more
  if (verification.query?.why === "settle" && append.flight === undefined) clearQuery(verification);
  if (takeRefusal(append)) {
    askLast(pass, activation, "settle");
    return;
  }
  if (
    verification.verified ||
    !lane.connected ||
    verification.query !== undefined ||
    !isWanted(pass, activation)
  )
    return;
  if (world.monotonicMs < verification.retryAtMs) armAppend(pass, verification.retryAtMs);
  else askLast(pass, activation, "verify");
}

/**
 * A session that nobody uses is verified when somebody does: a reconnect must not read the lane of every
 * session in memory at once.
 */
function isWanted({ lane }: Pass, { orders, append, turns, fold }: Activation): boolean {
  if (hasLetters(lane)) return true;
  if (lane.queue.length > 0 || orders.waiting.length > 0 || append.flight !== undefined) return true;
  return orders.closing !== undefined || turns.jobs.size > 0 || fold.making.stage !== "none";
}

/** From the leader only: a follower may lag, and would call a record lost that is there. */
function askLast({ world, out }: Pass, { verification }: Activation, why: TipQuery["why"]): void {
  const token = world.unique();
  setQuery(verification, { token, stage: "last", why });
  out.push({ type: "readLast", token, leader: true });
}

function replied(pass: Pass, activation: Activation, event: StoreReply): boolean {
  const { verification } = activation;
  const { query } = verification;
  if (query?.token !== event.token) return false;
  clearQuery(verification);
  if (event.type === "last" && query.stage === "last") lastSeen(pass, activation, query, event);
  else if (event.type === "range" && query.stage === "range") rangeSeen(pass, activation, event.records);
  else if (event.type === "store_failed") retryLater(pass, activation, resendMinMs);
  return true;
}

function retryLater(pass: Pass, { verification, append }: Activation, inMs: number): void {
  const atMs = pass.world.monotonicMs + inMs;
  retryAt(verification, atMs);
  resendAt(append, atMs);
  armAppend(pass, atMs);
}

function lastSeen(
  pass: Pass,
  activation: Activation,
  query: TipQuery,
  { record: stored, mark }: LaneEvent & { type: "last" },
): void {
  const { verification, tip } = activation;
  const { flight } = activation.append;
  const row = stored === undefined ? undefined : readStored(pass, stored);
  if (row === "unreadable") return;
  const seq = row?.seq ?? 0;
  const rid = row?.record.rid ?? noRecord;
  const isFlight = flight !== undefined && sameRecord(rid, flight.record.rid);
  const isOurs = isFlight || (seq === tip.expect && sameRecord(rid, tip.rid));
  // others may have owned the session meanwhile, and all of theirs may be lost
  if (isOurs && mark?.isAccepted === false && isBehind(mark, row === undefined ? [] : [row])) {
    lost(pass, activation, `records up to sequence ${mark.seq} were acknowledged, after ${seq}`);
  } else if (isFlight) {
    // it was stored; the answer was lost
    verify(verification);
    committed(pass, activation, flight, seq);
  } else if (isOurs) {
    unmoved(pass, activation, query);
  } else if (seq <= tip.expect) {
    lost(pass, activation, vanished(activation));
  } else {
    const token = pass.world.unique();
    setQuery(verification, { ...query, token, stage: "range" });
    pass.out.push({ type: "readRange", token, from: Math.max(1, tip.expect), leader: true, limit: 2 });
  }
}

/** Nothing is newer than our last record. An append in flight may still arrive: it is sent again. */
function unmoved(pass: Pass, activation: Activation, query: TipQuery): void {
  const { verification, append } = activation;
  verify(verification);
  if (append.flight === undefined) return;
  if (query.why === "verify") resendAt(append, pass.world.monotonicMs);
  else retryLater(pass, activation, undecidedMs);
}

function rangeSeen(pass: Pass, activation: Activation, stored: readonly StoredRecord[]): void {
  const { tip } = activation;
  const { flight } = activation.append;
  const rows: DecodedRecord[] = [];
  for (const one of stored) {
    const row = readStored(pass, one);
    if (row === "unreadable") return;
    rows.push(row);
  }
  const own = rows.find((row) => row.seq === tip.expect);
  const next = rows.find((row) => row.seq > tip.expect);
  if (own !== undefined && !sameRecord(own.record.rid, tip.rid)) {
    lost(pass, activation, vanished(activation));
  } else if (next === undefined) {
    retryLater(pass, activation, undecidedMs);
  } else if (flight !== undefined && sameRecord(next.record.rid, flight.record.rid)) {
    committed(pass, activation, flight, next.seq);
    if (pass.lane.activation === activation) drop(pass, activation, "fenced", "nothing");
  } else {
    // a record that links to our last one took the place of the one in flight; else the place was trimmed,
    // and nobody knows
    drop(pass, activation, "fenced", sameRecord(next.record.prev, tip.prev) ? "nothing" : "unknown");
  }
}

const vanished = ({ tip: { rid, expect } }: Activation): string =>
  `record ${rid.incarnation}.${rid.counter} at sequence ${expect} vanished`;

/** Our last record is gone and nothing newer links to it; or what others wrote after it is. */
function lost(pass: Pass, activation: Activation, message: string): void {
  pass.out.push({ type: "incident", incident: "data_loss", message });
  // Whoever wakes it next must not take what is left for all. Not of a life that no record has begun: there
  // only a tombstone can be missing, which goes by itself.
  if (!activation.tip.born)
    pass.out.push({ type: "mark", mark: markOf(activation.tip, false), isUrgent: true });
  drop(pass, activation, "fenced", "unknown");
}
