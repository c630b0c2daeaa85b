// Takes snapshots of the session: asks for a cut, stores its pages, appends the fold, and lets go what it
// makes needless.
import { foldSpanMax, trailMax, wakeRetryMs } from "./constants.ts";
import {
  acceptFold,
  askCut,
  type Covered,
  type Cut,
  cover,
  hasRoomToRetire,
  namePages,
  planTrim,
  ready,
  retire,
  retryWriteAt,
  type TrimPlan,
  takeCut,
  write,
} from "./fold.ts";
import { type Activation, isQuiet, type Lane, type Pass, type Slice, type StoreReply } from "./lane.ts";
import type { FoldRecord } from "./record.ts";
import type { Tip } from "./tip.ts";
import { cutTrail } from "./trail.ts";
import type { LaneEvent } from "./types.ts";

/**
 * Makes one fold at a time: none, asked, cut, writing, ready. A node that dies on the way leaves pages that
 * no fold names, and nothing else.
 */
export const snapshot: Slice = {
  advance,
  replied,
  disconnected: ({ fold }, { monotonicMs }) => retryWriteAt(fold, monotonicMs),
};

function advance(pass: Pass, activation: Activation): void {
  const { fold, tip, verification } = activation;
  const { making } = fold;
  // names carry the epoch: only a durable claim makes it ours alone
  if (tip.claim !== "owner" || !verification.verified) return;
  if (making.stage === "none" && wantsFold(pass, activation)) {
    askCut(fold);
    pass.out.push({ type: "cut", activation: activation.number });
  } else if (making.stage === "cut" && pass.world.monotonicMs >= making.retryAtMs) {
    writePages(pass, activation, making.cut);
  }
}

/**
 * Before sleep always, even after no new record: a lane that ends with a released fold is woken by one read.
 * Else when the tail is long or wide enough to slow a wake down.
 */
function wantsFold({ lane: { folds }, world }: Pass, activation: Activation): boolean {
  const { orders, fold, tip, trail } = activation;
  if (orders.closing === "sleep") return isQuiet(activation);
  if (orders.closing === "end") return false;
  // a fold holds the names of all pages that wait for a trim: a tail that grows for some minutes costs a wake
  // time, a fold that the store does not take costs the session
  const isLong = fold.tailRecords >= folds.foldRecordsMax || fold.tailBytes >= folds.foldBytesMax;
  const isWide = fold.tailRecords >= trailMax && tip.expect - trail.first >= foldSpanMax;
  return (isLong || isWide) && hasRoomToRetire(fold, world.storeMs, folds.trimDelayMs);
}

function writePages({ lane, world, out }: Pass, { fold, tip }: Activation, cut: Cut): void {
  // a small state travels in the fold: no page to write, none to read at a wake, none to clean up
  const size = cut.pages.reduce((sum, page) => sum + page.bytes.length, 0);
  if (size <= lane.folds.inlineBytesMax) return ready(fold, cut, []);
  const { table, fresh } = namePages(fold, cut, tip.epoch);
  // nothing has changed since the last fold: the same pages under the same names
  if (fresh.length === 0) return ready(fold, cut, table);
  const token = world.unique();
  write(fold, cut, token, table);
  out.push({ type: "writePages", token, pages: fresh });
}

function replied({ world, out }: Pass, { fold }: Activation, event: StoreReply): boolean {
  const { making } = fold;
  if (making.stage !== "writing" || making.token !== event.token) return false;
  if (event.type === "pages_written") {
    ready(fold, making.cut, making.table);
  } else if (event.type === "store_failed") {
    const atMs = world.monotonicMs + wakeRetryMs;
    retryWriteAt(fold, atMs);
    out.push({ type: "timer", timer: "fold", atMs });
  }
  return true;
}

/**
 * The worker's snapshot is here. Its turns may still be on their way to the store: `covers` is filled in when
 * the last of them is accepted.
 */
export function cutTaken({ fold, turns, tip }: Activation, event: LaneEvent & { type: "cut" }): void {
  const covers = event.after === turns.accepted ? covered(tip) : undefined;
  takeCut(fold, { after: event.after, pages: event.pages, covers });
}

/** All turns up to `accepted` lie in the lane, the last of them at `expect`. */
export function noteCovered({ fold, turns, tip }: Activation): void {
  cover(fold, turns.accepted, covered(tip));
}

const covered = ({ expect, prev, n }: Tip): Covered => ({ seq: expect, rid: prev, n });

type FoldBody = Pick<
  FoldRecord,
  "type" | "covers" | "coversRid" | "whole" | "released" | "inline" | "table" | "trim" | "retired"
>;

/** The fold that can be appended now, if there is one. */
export function readyFold(
  lane: Lane,
  activation: Activation,
  storeMs: number,
): { body: FoldBody; plan: TrimPlan } | undefined {
  const { fold, tip, orders, turns } = activation;
  const { making } = fold;
  if (making.stage !== "ready" || making.cut.covers === undefined || tip.claim !== "owner") return undefined;
  const { cut, table } = making;
  const { seq, rid } = making.cut.covers;
  const trim = planTrim(fold, storeMs, lane.folds.trimDelayMs);
  const retired = retire(fold, table);
  const goes = trim.below;
  const body: FoldBody = {
    type: "fold",
    covers: seq,
    coversRid: rid,
    // `rid` too: a void record may lie at the last sequence, and would not be covered
    whole: seq === tip.expect && rid === tip.prev,
    // a turn after the cut would be lost to whoever wakes from this fold alone
    released: orders.closing === "sleep" && isQuiet(activation) && cut.after === turns.accepted,
    inline: table.length === 0 ? cut.pages.map((page) => page.bytes) : undefined,
    table,
    trim: trim.next,
    // their folds are trimmed by this plan: nobody can wake from them any more
    retired: goes === undefined ? retired : retired.filter((pages) => pages.seq >= goes),
  };
  return {
    body,
    plan: { below: goes, pages: goes === undefined ? [] : retired.filter((pages) => pages.seq < goes) },
  };
}

/** The fold lies in the lane at `seq`: what it allows to go, goes. */
export function foldAccepted(
  { world, out }: Pass,
  { fold, trail }: Activation,
  record: FoldRecord,
  seq: number,
  plan: TrimPlan,
): void {
  const { making } = fold;
  if (making.stage === "ready" && making.cut.covers !== undefined) cutTrail(trail, making.cut.covers);
  // rounded up: the fold must never look older than it is
  acceptFold(fold, record, seq, Math.max(0, Math.ceil(world.storeMs)));
  const { below } = plan;
  if (below !== undefined) out.push({ type: "trim", below });
  const names = plan.pages.flatMap((pages) => pages.names);
  if (names.length > 0) out.push({ type: "deletePages", names });
}

/**
 * The session sleeps with all that it is in its last record: what lies before that may go, as soon as the
 * store cannot lose it any more. Nobody may wake the session until then, so the lane cannot do it.
 */
export function trimAsleep({ lane, out }: Pass, { covers }: FoldRecord, hash: Uint8Array): void {
  if (covers > 0) out.push({ type: "trimAsleep", below: covers + 1, hash, inMs: lane.folds.trimDelayMs });
}
