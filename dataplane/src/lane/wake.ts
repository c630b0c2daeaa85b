// From cold to held: one read of the last record, or of the tail after the last fold (PROTOCOL.md 5.1).
import { isBehind, type Mark } from "@voda/proto/mark";
import type { CallHead } from "../call/index.ts";
import { hopsMax, wakeAttemptsMax, wakeRetryMs } from "./constants.ts";
import type { Step, StoreReply, Waking } from "./lane.ts";
import { giveUp, readStored } from "./memory.ts";
import { open } from "./open.ts";
import type { LaneRecord } from "./record.ts";
import { type Base, type DecodedRecord, emptyLane, replay, replayKept } from "./replay.ts";
import { failCall, failWork, forwardWork, tooManyHops } from "./share.ts";
import type { Incarnation, LaneEvent, StoredRecord, Traces } from "./types.ts";

/** Starts to wake when somebody waits, and again after a pause. */
export function advanceWake(step: Step): void {
  const { lane, world } = step;
  if (lane.activation !== undefined) return;
  // whoever waited has gone: nothing is read for nobody
  if (lane.queue.length === 0 && lane.controls.length === 0) {
    if (lane.waking !== undefined) step.out.push({ type: "cold", why: "dropped" });
    lane.waking = undefined;
    return;
  }
  if (!lane.connected) return;
  if (lane.waking === undefined) readLast(step, 0);
  else if (lane.waking.stage === "pause" && world.monotonicMs >= lane.waking.untilMs)
    readLast(step, lane.waking.attempts);
}

function readLast(step: Step, attempts: number): void {
  const token = step.world.unique();
  step.lane.waking = { stage: "last", token, attempts };
  // a follower may be behind: good enough for a hint, until it has misled us
  step.out.push({ type: "readLast", token, leader: attempts > 0 });
}

/**
 * For `wakeRetryMs`. `attempts`: reads of this wake that did not fit together; they count on over the pause,
 * up to `wakeAttemptsMax`.
 */
export function pauseWake(step: Step, attempts: number): void {
  const untilMs = step.world.monotonicMs + wakeRetryMs;
  step.lane.waking = { stage: "pause", attempts, untilMs };
  step.out.push({ type: "timer", timer: "wake", atMs: untilMs });
}

/** A reply of the store to what a wake asked. */
export function wakeReplied(step: Step, event: StoreReply): void {
  const { waking } = step.lane;
  if (waking === undefined || waking.stage === "pause" || waking.token !== event.token) return;
  if (event.type === "store_failed") pauseWake(step, waking.attempts);
  else if (event.type === "last" && waking.stage === "last") lastRead(step, waking, event);
  else if (event.type === "range" && waking.stage === "range") rangeRead(step, waking, event.records);
  else if (event.type === "pages" && waking.stage === "pages") pagesRead(step, waking, event.pages);
  else if (event.type === "traces" && waking.stage === "traces") tracesRead(step, waking, event.found);
}

/**
 * No last record: the lane is empty, or its last record cannot be read, which the store does not tell apart.
 * Only a lane of which nothing else is there either is empty.
 */
function proveEmpty({ lane, world, out }: Step, attempts: number, mark: Mark | undefined): void {
  const token = world.unique();
  lane.waking = { stage: "traces", token, attempts, mark, arrived: new Set(lane.calls.keys()) };
  out.push({ type: "readTraces", token });
}

function tracesRead(
  step: Step,
  { attempts, mark, arrived }: Waking & { stage: "traces" },
  found: Traces,
): void {
  if (mark?.isAccepted === true) {
    readAll(step, attempts, mark, true);
  } else if (found === "nothing") {
    if (mark !== undefined && isBehind(mark, [])) missing(step, attempts, mark, undefined);
    else settleControls(step, emptyLane(), [], arrived);
  } else {
    // a follower may have been behind, or somebody has claimed the empty lane between the two reads
    const others = found === "name" ? "its name" : "others";
    retryWake(step, attempts, `its last record cannot be read, but ${others} can${acknowledged(mark)}`);
  }
}

/** Records that were acknowledged are not there: never served as if they had never been. */
function missing(step: Step, attempts: number, mark: Mark, base: Base | undefined): void {
  // a follower, or what was read before the mark, may have been behind
  if (attempts === 0) {
    pauseWake(step, 1);
    return;
  }
  const there =
    base === undefined
      ? "nothing of it is there"
      : `what is there ends at position ${base.n} (sequence ${base.expect})`;
  giveUp(step, "data_loss", `${there}${acknowledged(mark)}`);
}

const acknowledged = (mark: Mark | undefined): string =>
  mark === undefined ? "" : `, acknowledged was position ${mark.n} (sequence ${mark.seq})`;

/** The loss is accepted: the session goes on from whatever links. */
function readAll(step: Step, attempts: number, mark: Mark, isLastHidden: boolean): void {
  const token = step.world.unique();
  step.lane.waking = { stage: "range", token, attempts, atLeast: 0, mark, isLastHidden };
  step.out.push({ type: "readRange", token, from: 1, leader: true, limit: undefined });
}

function lastRead(
  step: Step,
  { attempts }: Waking & { stage: "last" },
  { record: stored, mark }: LaneEvent & { type: "last" },
): void {
  if (mark?.isAccepted === true && attempts === 0) {
    pauseWake(step, 1);
    return;
  }
  const row = stored === undefined ? undefined : readStored(step, stored);
  if (row === "unreadable") return;
  if (row === undefined) {
    proveEmpty(step, attempts, mark);
    return;
  }
  if (!isOurName(step, row.record) || sendsElsewhere(step, row.record)) return;
  const { record } = row;
  // most wakes end here, after one read: a session that went to sleep left all it is in its last record
  const alone = record.type === "gone" || (record.type === "fold" && record.whole);
  if (alone) {
    loaded(step, { attempts, mark, isLastHidden: false }, [row]);
    return;
  }
  if (mark?.isAccepted === true) {
    readAll(step, attempts, mark, false);
    return;
  }
  const token = step.world.unique();
  const leader = attempts > 0;
  step.lane.waking = { stage: "range", token, attempts, atLeast: row.seq, mark, isLastHidden: false };
  step.out.push({ type: "readRange", token, from: record.from, leader, limit: undefined });
}

function rangeRead(step: Step, waking: Waking & { stage: "range" }, stored: readonly StoredRecord[]): void {
  const rows: DecodedRecord[] = [];
  for (const one of stored) {
    const row = readStored(step, one);
    if (row === "unreadable") return;
    if (!isOurName(step, row.record)) return;
    rows.push(row);
  }
  const last = rows.at(-1);
  // a follower answered: it does not have yet what the first read showed
  if ((last?.seq ?? 0) < waking.atLeast) {
    retryWake(step, waking.attempts, `records up to ${waking.atLeast} do not show`);
    return;
  }
  // the last record may be a newer one than at the first read
  if (last !== undefined && sendsElsewhere(step, last.record)) return;
  loaded(step, waking, rows);
}

function loaded(
  step: Step,
  { attempts, mark, isLastHidden }: Pick<Waking & { stage: "range" }, "attempts" | "mark" | "isLastHidden">,
  rows: readonly DecodedRecord[],
): void {
  const base = mark?.isAccepted === true ? replayKept(rows, isLastHidden) : replay(rows);
  if (base === "damaged") {
    giveUp(step, "corrupt", `a record is not the one that the next was written after${acknowledged(mark)}`);
    return;
  }
  if (base === "gap") {
    const why = "records are missing between the last fold and the last record";
    retryWake(step, attempts, `${why}${acknowledged(mark)}`);
    return;
  }
  if (mark?.isAccepted === false && isBehind(mark, rows)) {
    missing(step, attempts, mark, base);
    return;
  }
  const table = base.fold?.record.table ?? [];
  if (table.length === 0) {
    settleControls(step, base);
    return;
  }
  const token = step.world.unique();
  step.lane.waking = { stage: "pages", token, attempts, base };
  step.out.push({ type: "readPages", token, names: table.map(({ name, hash }) => ({ ...name, hash })) });
}

/** A missing page means that there is a newer fold. */
function pagesRead(
  step: Step,
  waking: Waking & { stage: "pages" },
  pages: readonly (Uint8Array | undefined)[],
): void {
  const found = pages.filter((page) => page !== undefined);
  const wanted = waking.base.fold?.record.table.length;
  if (found.length !== wanted)
    retryWake(step, waking.attempts, `${found.length} of ${wanted} pages are there`);
  else settleControls(step, waking.base, found);
}

function retryWake(step: Step, attempts: number, why: string): void {
  if (attempts >= wakeAttemptsMax) giveUp(step, "corrupt", `${why}, after ${attempts} reads from the leader`);
  else pauseWake(step, attempts + 1);
}

/** Two names with one token must not share a lane. */
function isOurName(step: Step, record: LaneRecord): boolean {
  const { name } = step.lane;
  const other = record.name;
  if (other === undefined) return true;
  if (other.namespace === name.namespace && other.agent === name.agent && other.key === name.key) return true;
  giveUp(step, "corrupt", `its lane belongs to ${JSON.stringify(other)}`);
  return false;
}

/** Passes everything on when another node may own the session: nobody claims over a live lease. */
function sendsElsewhere(step: Step, record: LaneRecord): boolean {
  const to = ownerElsewhere(step, record);
  if (to === undefined) return false;
  const { lane, out } = step;
  const { queue, controls } = lane;
  lane.queue = [];
  lane.controls = [];
  lane.waking = undefined;
  lane.owed = undefined;
  for (const work of queue) {
    if (work.waiters.some((waiter) => waiter.hops >= hopsMax)) failWork(step, work, tooManyHops(hopsMax));
    else forwardWork(step, work, to);
  }
  for (const { number: call, hops, mayHaveBegun } of controls) {
    if (hops >= hopsMax) failCall(step, call, tooManyHops(hopsMax));
    else out.push({ type: "forward", call, incarnation: to, mayHaveBegun });
  }
  out.push({ type: "cold", why: "dropped" });
  return true;
}

function ownerElsewhere({ lane, world }: Step, record: LaneRecord): Incarnation | undefined {
  const owner = record.rid.incarnation;
  const isFree = record.type === "gone" || (record.type === "fold" && record.released);
  if (isFree || owner === world.incarnation) return undefined;
  const standing = world.standing(owner);
  if (standing.type === "living") return owner;
  // the ended owner's next life keeps the session in memory, and may claim without a read: it comes first,
  // unless it could not be reached
  const { successor } = standing;
  return successor === world.incarnation || successor === lane.unreachable ? undefined : successor;
}

/**
 * The base is known: orders that need no memory are carried out; the session is opened if anything else
 * waits. `arrived`: calls that were there when the lane was proved empty: if all are readers, they need no
 * claim.
 */
function settleControls(
  step: Step,
  base: Base,
  pages?: readonly Uint8Array[],
  arrived?: ReadonlySet<number>,
): void {
  const { lane, out } = step;
  // a session that is not there has nothing to end, and nothing to deliver
  const isDone = ({ type, id }: CallHead): boolean =>
    base.uid === undefined && (type === "end" || (type === "deliver" && id === undefined));
  for (const order of lane.controls) if (isDone(order)) out.push({ type: "done", call: order.number });
  lane.controls = lane.controls.filter((order) => !isDone(order));
  lane.waking = undefined;
  const isUnborn =
    arrived !== undefined && lane.controls.length === 0 && lane.queue.every((work) => work.job.readonly);
  if (lane.queue.length === 0 && lane.controls.length === 0) out.push({ type: "cold", why: "dropped" });
  else open(step, base, pages ?? base.fold?.record.inline ?? [], isUnborn ? arrived : undefined);
}
