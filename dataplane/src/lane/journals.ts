// What turns have done outside of the session and must not do again: by turn, until it takes place, or nobody
// can have it run again any more (docs/effects.md).
import { ByteWriter, bytesEqual, utf8Length } from "@voda/stdx";
import { type CallHead, journalBytesMax, type Recalled, turnJournalBytesMax } from "../call/index.ts";
import { writeTurnId } from "./asks.ts";
import { entryBytes } from "./constants.ts";
import type { JournalEntry, JournalPart } from "./record-journal.ts";
import type { Hash } from "./words.ts";
import type { Work } from "./work.ts";

/** Of one turn, which may have run several times. */
export interface TurnJournal {
  readonly turnId: Uint8Array;
  /** By name, in the order in which they were done. */
  readonly entries: Map<string, JournalEntry>;
  bytes: number;
  /** When the last of its entries expires. */
  expiresAtMs: number;
}

/** What a turn wants to do, or does. */
export interface TurnStep {
  /** Number of the worker's. */
  readonly step: number;
  readonly work: Work;
  readonly name: string;
  readonly turnId: Uint8Array;
  /** Turns that must be accepted before it begins. */
  readonly after: number;
  readonly canonicalHash: Uint8Array | undefined;
}

/** An entry without its end of time, which the record says. */
export type NewEntry = Omit<JournalEntry, "expiresAtMs"> & { readonly work: Work };

/** The slice. */
export interface Journals {
  /** By the text of the turn; equal to what replay of the lane gives. */
  readonly turns: Map<string, TurnJournal>;
  /** Of all of them. */
  bytes: number;
  /** Steps that may not begin yet. */
  waiting: TurnStep[];
  /** Those that have begun, by their numbers. */
  readonly begun: Map<number, TurnStep>;
  /** Entries that no record holds yet. */
  pending: NewEntry[];
  /** Entries that are not accepted, by turn and name, and who waits for each. */
  readonly writing: Map<string, Writing>;
  /** What executions read of the clock before a step that is not kept: the entry of the next one has it. */
  readonly unsaid: Map<Work, readonly number[]>;
}

/** An entry that no record in the lane holds. */
export interface Writing {
  readonly step: number;
  readonly entry: NewEntry;
}

export const createJournals = (): Journals => ({
  turns: new Map(),
  bytes: 0,
  waiting: [],
  begun: new Map(),
  pending: [],
  writing: new Map(),
  unsaid: new Map(),
});

/**
 * The same whenever the call runs under its id in this life of the session. Without an id it runs once: its
 * number in this life of the node tells it from others.
 */
export function turnIdOf(hash: Hash, uid: Uint8Array, job: CallHead, incarnation: string): Uint8Array {
  const out = new ByteWriter(128);
  out.raw(uid);
  writeTurnId(out, job, incarnation);
  return hash(out.finish());
}

/** Of a step, whenever it is done. */
export function stepKeyOf(hash: Hash, { turnId, name }: Pick<TurnStep, "turnId" | "name">): Uint8Array {
  const out = new ByteWriter(64);
  out.raw(turnId);
  out.text(name);
  return hash(out.finish());
}

export const stepText = ({ turnId, name }: Pick<TurnStep, "turnId" | "name">): string =>
  `${turnId.toHex()} ${name}`;

/** `nowMs`: the store's clock. */
export function findJournal(journals: Journals, turnId: Uint8Array, nowMs: number): TurnJournal | undefined {
  const journal = journals.turns.get(turnId.toHex());
  if (journal === undefined || journal.expiresAtMs > nowMs) return journal;
  endJournal(journals, turnId);
  return undefined;
}

/** What a turn that runs again must draw again, of its entries in their order. */
export function recalledOf(entries: readonly Pick<JournalEntry, "drawn">[]): Recalled | undefined {
  const [first] = entries;
  return first && { seed: first.drawn.seed, times: entries.map(({ drawn }) => drawn.times) };
}

/** Of a turn, done and not accepted, in the order in which they were done. */
export const unacceptedOf = ({ writing }: Journals, turnId: Uint8Array): readonly NewEntry[] =>
  Array.from(writing.values(), ({ entry }) => entry).filter((entry) => bytesEqual(entry.turnId, turnId));

/** What a turn takes of the bounds, accepted or not. */
export function turnBytesOf(journals: Journals, turnId: Uint8Array): number {
  const accepted = journals.turns.get(turnId.toHex())?.bytes ?? 0;
  return unacceptedOf(journals, turnId).reduce((sum, entry) => sum + bytesOf(entry), accepted);
}

/** Steps of a turn: those that are noted, those on their way there, and those that have begun. */
export function stepsOf(journals: Journals, { turnId, work }: TurnStep): number {
  const begun = journals.begun.values().filter((one) => one.work === work);
  const noted = journals.turns.get(turnId.toHex())?.entries.size ?? 0;
  return noted + unacceptedOf(journals, turnId).length + [...begun].length;
}

/** Whether the turn may fill its journal: none is forgotten before its time. */
export function hasRoom(journals: Journals, turnId: Uint8Array, nowMs: number): boolean {
  const own = turnBytesOf(journals, turnId);
  // turns that failed while a record was on its way leave entries behind, which the lane will hold
  const onTheWay = journals.writing.values().reduce((sum, { entry }) => sum + bytesOf(entry), 0);
  const fits = (): boolean => journals.bytes + onTheWay - own + turnJournalBytesMax <= journalBytesMax;
  if (fits()) return true;
  for (const other of journals.turns.values())
    if (other.expiresAtMs <= nowMs) endJournal(journals, other.turnId);
  return fits();
}

/** What an entry counts against the bounds. */
export const bytesOf = ({ name, result, drawn }: Pick<JournalEntry, "name" | "result" | "drawn">): number =>
  entryBytes + utf8Length(name) + result.length + timeBytes * drawn.times.length;
/** As long as a number can be: handlers may have clocks of their own. */
const timeBytes = 8;

/** It may not begin yet. */
export function addWaiting(journals: Journals, one: TurnStep): void {
  journals.waiting.push(one);
}

/** Takes out those that may begin now. */
export function takeWaiting(journals: Journals, mayBegin: (one: TurnStep) => boolean): readonly TurnStep[] {
  const taken = journals.waiting.filter(mayBegin);
  if (taken.length > 0) journals.waiting = journals.waiting.filter((one) => !taken.includes(one));
  return taken;
}

/** From here on it may be done. */
export function beginStep(journals: Journals, one: TurnStep): void {
  journals.begun.set(one.step, one);
}

/** It is done; `undefined`: by a turn that has ended. */
export function endStep(journals: Journals, step: number): TurnStep | undefined {
  const one = journals.begun.get(step);
  journals.begun.delete(step);
  return one;
}

/** What the turn read of the clock since the last entry. */
export const timesOf = ({ unsaid }: Journals, work: Work, times: readonly number[]): readonly number[] => [
  ...(unsaid.get(work) ?? []),
  ...times,
];

/** The step is not kept. */
export function keepTimes(journals: Journals, work: Work, times: readonly number[]): void {
  journals.unsaid.set(work, times);
}

/** The next record holds the entry. */
export function addPending(journals: Journals, entry: NewEntry, step: number): void {
  journals.unsaid.delete(entry.work);
  journals.pending.push(entry);
  journals.writing.set(stepText(entry), { step, entry });
}

/** The entry is in the lane; says who waits for it. */
export function endWriting(journals: Journals, entry: JournalEntry): number | undefined {
  const text = stepText(entry);
  const writing = journals.writing.get(text);
  journals.writing.delete(text);
  return writing?.step;
}

/** What the next record says; `undefined`: nothing. `keepMs`: from now on, whoever has sent the call. */
export function takeJournal(
  journals: Journals,
  ended: readonly Uint8Array[],
  storeMs: number,
  keepMs: (work: Work) => number,
): JournalPart | undefined {
  const { pending } = journals;
  journals.pending = [];
  const isKnown = (turnId: Uint8Array): boolean =>
    journals.turns.has(turnId.toHex()) || pending.some((one) => one.turnId.toHex() === turnId.toHex());
  const over = ended.filter(isKnown);
  if (pending.length === 0 && over.length === 0) return undefined;
  const entries = pending.map(
    ({ work, ...entry }): JournalEntry => ({ ...entry, expiresAtMs: storeMs + keepMs(work) }),
  );
  return { entries, ended: over };
}

/** All that may be asked for, for a fold. */
export function journalsAt(journals: Journals, nowMs: number): JournalPart | undefined {
  const kept = [...journals.turns.values()].filter(({ expiresAtMs }) => expiresAtMs > nowMs);
  const entries = kept.flatMap((journal) => [...journal.entries.values()]);
  return entries.length === 0 ? undefined : { entries, ended: [] };
}

/** The record lies in the lane. What a fold says too may come twice. */
export function noteJournal(journals: Journals, { entries, ended }: JournalPart): void {
  for (const entry of entries) addEntry(journals, entry);
  for (const turnId of ended) endJournal(journals, turnId);
}

/** The same of a record that is read: its bytes go. */
export function replayJournal(journals: Journals, { entries, ended }: JournalPart): void {
  const own = entries.map((entry) => ({
    ...entry,
    turnId: entry.turnId.slice(),
    canonicalHash: entry.canonicalHash?.slice(),
    drawn: { ...entry.drawn, seed: entry.drawn.seed.slice() },
    result: entry.result.slice(),
  }));
  noteJournal(journals, { entries: own, ended });
}

/** Its turn has ended: nobody waits for what it wanted to do, or did. */
export function endSteps(journals: Journals, work: Work): void {
  if (journals.waiting.length > 0) journals.waiting = journals.waiting.filter((one) => one.work !== work);
  for (const [step, one] of journals.begun) if (one.work === work) journals.begun.delete(step);
  journals.unsaid.delete(work);
}

function addEntry(journals: Journals, entry: JournalEntry): void {
  const key = entry.turnId.toHex();
  const known = journals.turns.get(key);
  const journal = known ?? { turnId: entry.turnId, entries: new Map(), bytes: 0, expiresAtMs: 0 };
  if (journal.entries.has(entry.name)) return;
  const bytes = bytesOf(entry);
  journal.entries.set(entry.name, entry);
  journal.bytes += bytes;
  journal.expiresAtMs = Math.max(journal.expiresAtMs, entry.expiresAtMs);
  journals.bytes += bytes;
  journals.turns.set(key, journal);
}

function endJournal(journals: Journals, turnId: Uint8Array): void {
  const key = turnId.toHex();
  journals.bytes -= journals.turns.get(key)?.bytes ?? 0;
  journals.turns.delete(key);
}
