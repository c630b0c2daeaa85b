// Snapshots of the session: what the last fold holds, how far the next one is, what may be trimmed
// (PROTOCOL.md 5.6).

import type { HashedPage, NamedPage, PageName } from "@voda/proto/wire";
import { ByteWriter } from "@voda/stdx";
import { foldBytesMax, foldRecordsMax, inlineBytesMax, retiredBytesMax, trimDelayMs } from "./constants.ts";
import type { FoldRecord } from "./record.ts";
import { type PageEntry, type RetiredPages, type TrimMark, trimsPart } from "./record-fold.ts";
import type { Base } from "./replay.ts";
import type { RecordId } from "./words.ts";

/** When a fold is made, where its snapshot lies, and when what it covers goes. */
export interface FoldBounds {
  readonly foldRecordsMax: number;
  readonly foldBytesMax: number;
  readonly inlineBytesMax: number;
  readonly trimDelayMs: number;
}

/** `isSynced`: the store loses nothing that it has acknowledged, so that no fold must grow old. */
export const foldBoundsOf = (isSynced: boolean): FoldBounds => ({
  foldRecordsMax,
  foldBytesMax,
  inlineBytesMax,
  trimDelayMs: isSynced ? 0 : trimDelayMs,
});

/** How far the next fold is. */
type Making =
  | { readonly stage: "none" }
  | { readonly stage: "asked" }
  | { readonly stage: "cut"; readonly cut: Cut; readonly retryAtMs: number }
  | {
      readonly stage: "writing";
      readonly cut: Cut;
      readonly token: number;
      readonly table: readonly PageEntry[];
    }
  | { readonly stage: "ready"; readonly cut: Cut; readonly table: readonly PageEntry[] };

/** A snapshot as the worker gave it: the state after the turn `after`, in pages. */
export interface Cut {
  readonly after: number;
  readonly pages: readonly HashedPage[];
  /** Where the record with turn `after` lies, once it is accepted. */
  covers: Covered | undefined;
}

/** The last record inside a snapshot. */
export interface Covered {
  readonly seq: number;
  readonly rid: RecordId;
  readonly n: number;
}

/** What goes once a fold is accepted. */
export interface TrimPlan {
  readonly below: number | undefined;
  readonly pages: RetiredPages[];
}

/**
 * A fold in the lane. Its age counts from its acceptance, by the store's clock: one that was long on its way
 * is young.
 */
export interface FoldMark {
  readonly seq: number;
  readonly covers: number;
  readonly acceptedAtMs: number;
}

/**
 * What snapshots there are of the session, and what they make needless. Sequences are those of the stream; 0
 * pages and `from` 1 before the first fold.
 */
export interface Fold {
  making: Making;
  /** The last fold in the lane. */
  last: FoldMark | undefined;
  /** Pages that it names. */
  table: readonly PageEntry[];
  nextPage: number;
  trim: TrimMark | undefined;
  retired: readonly RetiredPages[];
  retiredBytes: number;
  /** Sequence of the first record that replay needs. */
  from: number;
  /** Records after the last fold. */
  tailRecords: number;
  tailBytes: number;
}

/**
 * As the last fold of the lane says. No fold is under way, whatever a lost activation had begun: its pages
 * have names of an older epoch, so they meet nobody's.
 */
export function openFold({ fold, from, tailRecords, tailBytes }: Base): Fold {
  const record = fold?.record;
  return {
    making: { stage: "none" },
    last: fold && { seq: fold.seq, covers: fold.record.covers, acceptedAtMs: fold.atMs },
    table: record?.table ?? [],
    // names count from 0 in each epoch, and an activation has an epoch of its own
    nextPage: 0,
    trim: record?.trim,
    retired: record?.retired ?? [],
    retiredBytes: record === undefined ? 0 : bytesOfTrims(record),
    from,
    tailRecords,
    tailBytes,
  };
}

/** A cut is asked for. */
export function askCut(fold: Fold): void {
  fold.making = { stage: "asked" };
}

/** One that comes after the fold was abandoned is not wanted any more. */
export function takeCut(fold: Fold, cut: Cut): void {
  if (fold.making.stage === "asked") fold.making = { stage: "cut", cut, retryAtMs: 0 };
}

/** The fold was rejected: its pages are there, and it is made again later. */
export function foldLater(fold: Fold, retryAtMs: number): void {
  if (fold.making.stage === "ready") fold.making = { stage: "cut", cut: fold.making.cut, retryAtMs };
}

/** The session is deleted: no fold is wanted. */
export function abandonFold(fold: Fold): void {
  fold.making = { stage: "none" };
}

/** One more record lies after the last fold. */
export function countTail(fold: Fold, bytes: number): void {
  fold.tailRecords += 1;
  fold.tailBytes += bytes;
}

/** The turn at which the record that is formed next must end, so that a cut lies between two records. */
export function boundary({ making }: Fold): number {
  if (making.stage === "none" || making.stage === "asked" || making.cut.covers !== undefined)
    return Number.POSITIVE_INFINITY;
  return making.cut.after;
}

/** All turns up to `after` lie in the lane, the last of them at `covers`. */
export function cover({ making }: Fold, after: number, covers: Cut["covers"]): void {
  if (making.stage === "none" || making.stage === "asked" || making.cut.after !== after) return;
  // records without turns may follow the one with the last turn: the snapshot covers them too
  making.cut.covers = covers;
}

/**
 * Names the pages of a cut; those that the last fold has under the same hash keep their names. What must be
 * written is returned.
 */
export function namePages(
  fold: Fold,
  { pages }: Cut,
  epoch: number,
): { table: PageEntry[]; fresh: NamedPage[] } {
  const names = new Map(fold.table.map((entry) => [hashText(entry.hash), entry.name]));
  const fresh: NamedPage[] = [];
  const table = pages.map(({ hash, bytes }): PageEntry => {
    const text = hashText(hash);
    const known = names.get(text);
    if (known !== undefined) return { name: known, hash };
    const name = { epoch, index: fold.nextPage++ };
    names.set(text, name);
    fresh.push({ name, bytes });
    return { name, hash };
  });
  return { table, fresh };
}

/** Fresh pages are on their way to the store; `token` names the write. */
export function write(fold: Fold, cut: Cut, token: number, table: readonly PageEntry[]): void {
  fold.making = { stage: "writing", cut, token, table };
}

/** The fold can be appended as soon as what it covers is accepted. */
export function ready(fold: Fold, cut: Cut, table: readonly PageEntry[]): void {
  fold.making = { stage: "ready", cut, table };
}

/** Pages may be half written: they are written again under new names. */
export function retryWriteAt(fold: Fold, retryAtMs: number): void {
  if (fold.making.stage === "writing") fold.making = { stage: "cut", cut: fold.making.cut, retryAtMs };
}

/**
 * A trim relies on a fold before the new one: a torn page of the newest can then be rebuilt. Where the store
 * may lose its unsynced tail, that fold must be old. One that is too young is remembered in the folds until
 * it is old enough.
 */
export function planTrim(
  fold: Fold,
  storeMs: number,
  delayMs: number,
): { below: number | undefined; next: TrimMark | undefined } {
  const { trim } = fold;
  // the store's own time of acceptance, so a node whose clock is wrong trims neither early nor late
  const isOld = (mark: TrimMark): boolean => storeMs - mark.storeMs >= delayMs;
  const last = fold.last && { covers: fold.last.covers, storeMs: fold.last.acceptedAtMs };
  if (last !== undefined && isOld(last)) return { below: last.covers + 1, next: undefined };
  if (trim !== undefined && isOld(trim)) return { below: trim.covers + 1, next: last };
  return { below: undefined, next: trim ?? last };
}

/** Pages that no fold after the last one names. */
export function retire(fold: Fold, table: readonly PageEntry[]): FoldRecord["retired"] {
  if (fold.last === undefined) return fold.retired;
  const stay = new Set(table.map(({ name }) => `${name.epoch}.${name.index}`));
  const names = fold.table.map(({ name }) => name).filter((name) => !stay.has(`${name.epoch}.${name.index}`));
  if (names.length === 0) return fold.retired;
  return [...fold.retired, { seq: fold.last.seq, names }];
}

/** The fold lies in the lane at `seq`. */
export function acceptFold(fold: Fold, record: FoldRecord, seq: number, nowMs: number): void {
  fold.last = { seq, covers: record.covers, acceptedAtMs: nowMs };
  fold.from = record.covers + 1;
  fold.table = record.table;
  fold.trim = record.trim;
  fold.retired = record.retired;
  fold.retiredBytes = bytesOfTrims(record);
  fold.making = { stage: "none" };
  fold.tailRecords = 0;
  fold.tailBytes = 0;
}

/** Whether the next fold has room for names of pages more, or lets some go. */
export const hasRoomToRetire = (fold: Fold, storeMs: number, delayMs: number): boolean =>
  fold.retiredBytes < retiredBytesMax || planTrim(fold, storeMs, delayMs).below !== undefined;

function bytesOfTrims(record: FoldRecord): number {
  const writer = new ByteWriter(64);
  trimsPart.write(writer, record);
  return writer.length;
}

/** All pages that the session has in the store. */
export function pagesOf(fold: Fold): PageName[] {
  return [...fold.table.map((entry) => entry.name), ...fold.retired.flatMap((pages) => pages.names)];
}

function hashText(hash: Uint8Array): string {
  return String.fromCharCode(...hash);
}
