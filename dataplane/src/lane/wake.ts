// From cold to held: one read of the last record, or of the tail after the last fold (PROTOCOL.md 5.1).
import { isBehind, type Mark, type Traces } from "@voda/proto/mark";
import type { CallHead } from "../call/index.ts";
import { wakeAttemptsMax, wakeRetryMs } from "./constants.ts";
import { sendsElsewhere } from "./elsewhere.ts";
import type { Pass, StoreReply, Waking } from "./lane.ts";
import { giveUp, readStored } from "./memory.ts";
import { open } from "./open.ts";
import type { LaneRecord } from "./record.ts";
import {
  type Base,
  type DecodedRecord,
  emptyLane,
  isOf,
  type Replayed,
  replay,
  replayKept,
} from "./replay.ts";
import { joinTrail, type Known, nextSeqs, startTrail } from "./trail-read.ts";
import type { LaneEvent, StoredRecord } from "./types.ts";

/** Starts to wake when somebody waits, and again after a pause. */
export function advanceWake(pass: Pass): void {
  const { lane, world } = pass;
  if (lane.activation !== undefined) return;
  // whoever waited has gone: nothing is read for nobody
  if (lane.queue.length === 0 && lane.controls.length === 0) {
    if (lane.waking !== undefined) pass.out.push({ type: "cold", why: "dropped" });
    lane.waking = undefined;
    return;
  }
  if (!lane.connected) return;
  if (lane.waking === undefined) readLast(pass, 0);
  else if (lane.waking.stage === "pause" && world.monotonicMs >= lane.waking.untilMs)
    readLast(pass, lane.waking.attempts);
}

function readLast(pass: Pass, attempts: number): void {
  const token = pass.world.unique();
  pass.lane.waking = { stage: "last", token, attempts };
  // a follower may be behind: good enough for a hint, until it has misled us
  pass.out.push({ type: "readLast", token, leader: attempts > 0 });
}

/**
 * For `wakeRetryMs`. `attempts`: reads of this wake that did not fit together; they count on over the pause,
 * up to `wakeAttemptsMax`.
 */
export function pauseWake(pass: Pass, attempts: number): void {
  const untilMs = pass.world.monotonicMs + wakeRetryMs;
  pass.lane.waking = { stage: "pause", attempts, untilMs };
  pass.out.push({ type: "timer", timer: "wake", atMs: untilMs });
}

/** A reply of the store to what a wake asked. */
export function wakeReplied(pass: Pass, event: StoreReply): void {
  const { waking } = pass.lane;
  if (waking === undefined || waking.stage === "pause" || waking.token !== event.token) return;
  if (event.type === "store_failed") pauseWake(pass, waking.attempts);
  else if (event.type === "last" && waking.stage === "last") lastRead(pass, waking, event);
  else if (event.type === "range" && waking.stage === "range") rangeRead(pass, waking, event.records);
  else if (event.type === "range" && waking.stage === "trail") trailRead(pass, waking, event.records);
  else if (event.type === "pages" && waking.stage === "pages") pagesRead(pass, waking, event.pages);
  else if (event.type === "traces" && waking.stage === "traces") tracesRead(pass, waking, event.found);
}

/**
 * No last record: the lane is empty, or its last record cannot be read, which the store does not tell apart.
 * Only a lane of which nothing else is there either is empty.
 */
function proveEmpty({ lane, world, out }: Pass, attempts: number, mark: Mark | undefined): void {
  const token = world.unique();
  lane.waking = { stage: "traces", token, attempts, mark, arrived: new Set(lane.calls.keys()) };
  out.push({ type: "readTraces", token });
}

function tracesRead(
  pass: Pass,
  { attempts, mark, arrived }: Waking & { stage: "traces" },
  found: Traces,
): void {
  if (mark?.isAccepted === true) {
    readAll(pass, attempts, mark, true);
  } else if (found === "nothing") {
    if (mark !== undefined && isBehind(mark, [])) missing(pass, attempts, mark, undefined);
    else settleControls(pass, emptyLane(), [], arrived);
  } else {
    // a follower may have been behind, or somebody has claimed the empty lane between the two reads
    const others = found === "name" ? "its name" : "others";
    retryWake(pass, attempts, `its last record cannot be read, but ${others} can${acknowledged(mark)}`);
  }
}

/** Records that were acknowledged are not there: never served as if they had never been. */
function missing(pass: Pass, attempts: number, mark: Mark, base: Base | undefined): void {
  // a follower, or what was read before the mark, may have been behind
  if (attempts === 0) {
    pauseWake(pass, 1);
    return;
  }
  const there =
    base === undefined
      ? "nothing of it is there"
      : `what is there ends at position ${base.n} (sequence ${base.expect})`;
  giveUp(pass, "data_loss", `${there}${acknowledged(mark)}`);
}

const acknowledged = (mark: Mark | undefined): string =>
  mark === undefined ? "" : `, acknowledged was position ${mark.n} (sequence ${mark.seq})`;

/** The loss is accepted: the session goes on from whatever links. */
function readAll(pass: Pass, attempts: number, mark: Mark, isLastHidden: boolean): void {
  const token = pass.world.unique();
  pass.lane.waking = { stage: "range", token, attempts, atLeast: 0, mark, isLastHidden };
  pass.out.push({ type: "readRange", token, from: 1, leader: true, limit: undefined });
}

function lastRead(
  pass: Pass,
  { attempts }: Waking & { stage: "last" },
  { record: stored, mark }: LaneEvent & { type: "last" },
): void {
  if (mark?.isAccepted === true && attempts === 0) {
    pauseWake(pass, 1);
    return;
  }
  const row = stored === undefined ? undefined : readStored(pass, stored);
  if (row === "unreadable") return;
  if (row === undefined) {
    proveEmpty(pass, attempts, mark);
    return;
  }
  if (!isOurName(pass, row.record) || sendsElsewhere(pass, row.record)) return;
  const { record } = row;
  // most wakes end here, after one read: a session that went to sleep left all it is in its last record
  const alone = record.type === "gone" || (record.type === "fold" && record.whole);
  if (alone) {
    loaded(pass, { attempts, mark }, [row], baseOf(mark, [row], false));
    return;
  }
  if (mark?.isAccepted === true) {
    readAll(pass, attempts, mark, false);
    return;
  }
  const known = startTrail(row);
  // where a follower was behind, what the leader has is read as it lies
  if (known !== undefined && attempts === 0) readBack(pass, { mark, last: row }, known);
  else readTail(pass, { attempts, mark, last: row });
}

/** As it lies, from the first record that replay needs to the last. */
function readTail(
  { lane, world, out }: Pass,
  { attempts, mark, last }: Pick<Waking & { stage: "trail" }, "attempts" | "mark" | "last">,
): void {
  const token = world.unique();
  lane.waking = { stage: "range", token, attempts, atLeast: last.seq, mark, isLastHidden: false };
  out.push({ type: "readRange", token, from: last.record.from, leader: attempts > 0, limit: undefined });
}

/** What comes before the records that are known. */
function readBack(
  { lane, world, out }: Pass,
  { mark, last }: Pick<Waking & { stage: "trail" }, "mark" | "last">,
  known: Known,
): void {
  const token = world.unique();
  lane.waking = { stage: "trail", token, attempts: 0, mark, last, known };
  const seqs = nextSeqs(known);
  if (seqs !== undefined) out.push({ type: "readAt", token, seqs });
  else out.push({ type: "readRange", token, from: known.first, leader: false, limit: known.left });
}

/**
 * A trail is a hint. What it leads to is taken if it is a chain without a gap from an anchor to the last
 * record, and has no void record: then nothing that was left out belongs to it. Else the tail is read as it
 * lies, and that alone decides what is lost or damaged.
 */
function trailRead(pass: Pass, waking: Waking & { stage: "trail" }, stored: readonly StoredRecord[]): void {
  const joined = joinTrail(pass.lane, waking.known, stored);
  if (joined !== undefined && joined.left > 0) {
    readBack(pass, waking, joined);
    return;
  }
  const base = joined === undefined ? "gap" : replay(joined.rows);
  if (joined === undefined || base === "gap" || base === "damaged" || base.voids > 0) readTail(pass, waking);
  else loaded(pass, waking, joined.rows, base);
}

function rangeRead(pass: Pass, waking: Waking & { stage: "range" }, stored: readonly StoredRecord[]): void {
  const rows: DecodedRecord[] = [];
  for (const one of stored) {
    const row = readStored(pass, one);
    if (row === "unreadable") return;
    if (!isOurName(pass, row.record)) return;
    rows.push(row);
  }
  const last = rows.at(-1);
  // a follower answered: it does not have yet what the first read showed
  if ((last?.seq ?? 0) < waking.atLeast) {
    retryWake(pass, waking.attempts, `records up to ${waking.atLeast} do not show`);
    return;
  }
  // the last record may be a newer one than at the first read
  if (last !== undefined && sendsElsewhere(pass, last.record)) return;
  loaded(pass, waking, rows, baseOf(waking.mark, rows, waking.isLastHidden));
}

/** Once an operator has accepted a loss, of what is left. */
const baseOf = (mark: Mark | undefined, rows: readonly DecodedRecord[], isLastHidden: boolean): Replayed =>
  mark?.isAccepted === true ? replayKept(rows, isLastHidden) : replay(rows);

/** All that is there of the tail is read. */
function loaded(
  pass: Pass,
  { attempts, mark }: Pick<Waking & { stage: "range" }, "attempts" | "mark">,
  rows: readonly DecodedRecord[],
  base: Replayed,
): void {
  if (base === "damaged") {
    giveUp(pass, "corrupt", `a record is not the one that the next was written after${acknowledged(mark)}`);
    return;
  }
  if (base === "gap") {
    const why = "records are missing between the last fold and the last record";
    retryWake(pass, attempts, `${why}${acknowledged(mark)}`);
    return;
  }
  if (mark?.isAccepted === false && isBehind(mark, rows)) {
    missing(pass, attempts, mark, base);
    return;
  }
  const table = base.fold?.record.table ?? [];
  if (table.length === 0) {
    settleControls(pass, base);
    return;
  }
  const token = pass.world.unique();
  pass.lane.waking = { stage: "pages", token, attempts, base };
  pass.out.push({ type: "readPages", token, names: table.map(({ name, hash }) => ({ ...name, hash })) });
}

/** A missing page means that there is a newer fold. */
function pagesRead(
  pass: Pass,
  waking: Waking & { stage: "pages" },
  pages: readonly (Uint8Array | undefined)[],
): void {
  const found = pages.filter((page) => page !== undefined);
  const wanted = waking.base.fold?.record.table.length;
  if (found.length !== wanted)
    retryWake(pass, waking.attempts, `${found.length} of ${wanted} pages are there`);
  else settleControls(pass, waking.base, found);
}

function retryWake(pass: Pass, attempts: number, why: string): void {
  if (attempts >= wakeAttemptsMax) giveUp(pass, "corrupt", `${why}, after ${attempts} reads from the leader`);
  else pauseWake(pass, attempts + 1);
}

/** Two names with one token must not share a lane. */
function isOurName(pass: Pass, record: LaneRecord): boolean {
  if (isOf(pass.lane.name, record)) return true;
  giveUp(pass, "corrupt", `its lane belongs to ${JSON.stringify(record.name)}`);
  return false;
}

/**
 * The base is known: orders that need no memory are carried out; the session is opened if anything else
 * waits. `arrived`: calls that were there when the lane was proved empty: if all are readers, they need no
 * claim.
 */
function settleControls(
  pass: Pass,
  base: Base,
  pages?: readonly Uint8Array[],
  arrived?: ReadonlySet<number>,
): void {
  const { lane, out } = pass;
  // a session that is not there has nothing to end, and nothing to deliver
  const isDone = ({ type, id }: CallHead): boolean =>
    base.uid === undefined && (type === "end" || (type === "deliver" && id === undefined));
  for (const order of lane.controls) if (isDone(order)) out.push({ type: "done", call: order.number });
  lane.controls = lane.controls.filter((order) => !isDone(order));
  lane.waking = undefined;
  const isUnborn =
    arrived !== undefined && lane.controls.length === 0 && lane.queue.every((work) => work.job.readonly);
  if (lane.queue.length === 0 && lane.controls.length === 0) out.push({ type: "cold", why: "dropped" });
  else open(pass, base, pages ?? base.fold?.record.inline ?? [], isUnborn ? arrived : undefined);
}
