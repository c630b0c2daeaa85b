// Snapshots of a lane (PROTOCOL.md 5.6): when one is taken, where its pages go, what may be trimmed after it.
import { wakeRetryMs } from "./constants.ts";
import type { Activation, Cut, Lane, Step, TrimPlan } from "./lane.ts";
import type { FoldRecord, PageEntry, TrimMark } from "./record.ts";
import type { LaneEvent, PageName } from "./types.ts";

/** Asks for a cut, and writes the pages of one that is taken. */
export function advanceFold(step: Step, activation: Activation): void {
  const { fold } = activation;
  if (fold.stage === "none") {
    if (activation.claim !== "owner" || !activation.verified || !wantsFold(step.lane, activation)) return;
    activation.fold = { stage: "asked" };
    step.out.push({ type: "cut", activation: activation.number });
  } else if (fold.stage === "cut" && activation.claim === "owner" && activation.verified) {
    // names carry the epoch: only a durable claim makes it ours alone
    if (step.world.monotonicMs >= fold.retryAtMs) writePages(step, activation, fold.cut);
  }
}

function wantsFold({ bounds }: Lane, activation: Activation): boolean {
  if (activation.closing === "sleep") return isQuiet(activation);
  if (activation.closing === "end") return false;
  return activation.tailRecords >= bounds.foldRecordsMax || activation.tailBytes >= bounds.foldBytesMax;
}

/** Nothing runs, waits or is on its way. */
export function isQuiet(activation: Activation): boolean {
  return activation.jobs.size === 0 && activation.pending.length === 0 && activation.flight === undefined;
}

export function cutTaken(activation: Activation, event: LaneEvent & { type: "cut" }): void {
  if (activation.fold.stage !== "asked") return;
  const covers =
    event.after === activation.accepted ? { seq: activation.expect, rid: activation.prev } : undefined;
  activation.fold = { stage: "cut", cut: { after: event.after, pages: event.pages, covers }, retryAtMs: 0 };
}

/** The turn at which the record that is formed next must end, so that a cut lies between two records. */
export function boundary(activation: Activation): number {
  const { fold } = activation;
  if (fold.stage === "none" || fold.stage === "asked" || fold.cut.covers !== undefined)
    return Number.POSITIVE_INFINITY;
  return fold.cut.after;
}

/** All turns up to `accepted` lie in the lane, the last of them at `expect`. */
export function noteCovered(activation: Activation): void {
  const { fold } = activation;
  if (fold.stage === "none" || fold.stage === "asked" || fold.cut.after !== activation.accepted) return;
  // records without turns may follow the one with the last turn: the snapshot covers them too
  fold.cut.covers = { seq: activation.expect, rid: activation.prev };
}

function writePages(step: Step, activation: Activation, cut: Cut): void {
  const size = cut.pages.reduce((sum, page) => sum + page.bytes.length, 0);
  if (size <= step.lane.bounds.inlineBytesMax) {
    activation.fold = { stage: "ready", cut, table: [] };
    return;
  }
  const names = new Map(activation.table.map((entry) => [hashText(entry.hash), entry.name]));
  const fresh: { name: PageName; bytes: Uint8Array }[] = [];
  const table = cut.pages.map(({ hash, bytes }): PageEntry => {
    const text = hashText(hash);
    const known = names.get(text);
    if (known !== undefined) return { name: known, hash };
    const name = { epoch: activation.epoch, index: activation.nextPage++ };
    names.set(text, name);
    fresh.push({ name, bytes });
    return { name, hash };
  });
  if (fresh.length === 0) {
    activation.fold = { stage: "ready", cut, table };
    return;
  }
  const token = step.world.unique();
  activation.fold = { stage: "writing", cut, token, table };
  step.out.push({ type: "writePages", token, pages: fresh });
}

export function pagesWritten(activation: Activation, token: number): void {
  const { fold } = activation;
  if (fold.stage === "writing" && fold.token === token)
    activation.fold = { stage: "ready", cut: fold.cut, table: fold.table };
}

/** Pages may be half written: they are written again under new names. */
export function pagesFailed(step: Step, activation: Activation): void {
  const { fold } = activation;
  if (fold.stage !== "writing") return;
  const retryAtMs = step.world.monotonicMs + wakeRetryMs;
  activation.fold = { stage: "cut", cut: fold.cut, retryAtMs };
  step.out.push({ type: "timer", timer: "fold", atMs: retryAtMs });
}

type FoldBody = Pick<
  FoldRecord,
  "kind" | "covers" | "coversRid" | "whole" | "released" | "inline" | "table" | "trim" | "retired"
>;

/** The fold that can be appended now, if there is one. */
export function readyFold(
  lane: Lane,
  activation: Activation,
  wallMs: number,
): { body: FoldBody; plan: TrimPlan } | undefined {
  const { fold } = activation;
  if (fold.stage !== "ready" || fold.cut.covers === undefined || activation.claim !== "owner")
    return undefined;
  const { cut, table } = fold;
  const { seq, rid } = fold.cut.covers;
  const trim = planTrim(lane, activation, wallMs);
  const retired = retire(activation, table);
  const goes = trim.below;
  const body: FoldBody = {
    kind: "fold",
    covers: seq,
    coversRid: rid,
    whole: seq === activation.expect && rid === activation.prev,
    released: activation.closing === "sleep" && isQuiet(activation) && cut.after === activation.accepted,
    inline: table.length === 0 ? cut.pages.map((page) => page.bytes) : undefined,
    table,
    trim: trim.next,
    retired: goes === undefined ? retired : retired.filter((pages) => pages.seq >= goes),
  };
  return {
    body,
    plan: { below: goes, pages: goes === undefined ? [] : retired.filter((pages) => pages.seq < goes) },
  };
}

/**
 * A trim relies on a fold before the new one: a torn page of the newest can then be rebuilt. Where the store may lose its unsynced
 * tail, that fold must be old. One that is too young is remembered in the folds until it is old enough.
 */
function planTrim(
  lane: Lane,
  activation: Activation,
  wallMs: number,
): { below: number | undefined; next: TrimMark | undefined } {
  const { lastFold, trim } = activation;
  const isOld = (mark: TrimMark): boolean => wallMs - mark.wallMs >= lane.trimDelayMs;
  const last = lastFold && { covers: lastFold.covers, wallMs: lastFold.wallMs };
  if (last !== undefined && isOld(last)) return { below: last.covers + 1, next: undefined };
  if (trim !== undefined && isOld(trim)) return { below: trim.covers + 1, next: last };
  return { below: undefined, next: trim ?? last };
}

function retire(activation: Activation, table: readonly PageEntry[]): FoldRecord["retired"] {
  if (activation.lastFold === undefined) return activation.retired;
  const stay = new Set(table.map(({ name }) => `${name.epoch}.${name.index}`));
  const names = activation.table
    .map(({ name }) => name)
    .filter((name) => !stay.has(`${name.epoch}.${name.index}`));
  if (names.length === 0) return activation.retired;
  return [...activation.retired, { seq: activation.lastFold.seq, names }];
}

/** The fold lies in the lane at `seq`: what it allows to go, goes. */
export function foldAccepted(
  step: Step,
  activation: Activation,
  record: FoldRecord,
  seq: number,
  plan: TrimPlan,
): void {
  const { out } = step;
  activation.lastFold = { seq, covers: record.covers, wallMs: record.wallMs };
  activation.from = record.covers + 1;
  activation.table = record.table;
  activation.trim = record.trim;
  activation.retired = record.retired;
  activation.fold = { stage: "none" };
  activation.tailRecords = 0;
  activation.tailBytes = 0;
  const { below } = plan;
  if (below !== undefined) out.push({ type: "trim", below });
  const names = plan.pages.flatMap((pages) => pages.names);
  if (names.length > 0) out.push({ type: "deletePages", names });
}

function hashText(hash: Uint8Array): string {
  return String.fromCharCode(...hash);
}
