// Workflows as the state of their session has them: a row each, and a journal of what was done
// (docs/workflows.md).
import { type Json, type WorkflowPhase, workflowFields } from "voda/definition";
import { bytesOf } from "./workflow-bounds.ts";
import type { StepFault, Undoing, WorkflowFault } from "./workflow-faults.ts";

/**
 * What stands before the names in the journal: of what the author has named, of waits, of ends of calls that
 * wait, of what is undone.
 */
export const own = ".";
export const waited = "~";
export const ended = "!";
export const undone = "-";

/** Something that a workflow waits for. */
export type Wait = {
  readonly step: string;
  /** Absent: nothing but its time. */
  readonly signal?: string;
  /** It is the time of a call that waits for a signal by that step. */
  readonly of?: string;
  /** It has a timer. */
  readonly isTimed: boolean;
};

/** A signal that came before anybody waited for it. */
export type Kept = { readonly signal: string; readonly place: number };

/** JSON, as the map has it. */
export type Row = {
  readonly workflow: string;
  readonly phase: WorkflowPhase;
  /** It waits for a revision that has its name, unless its `phase` says that it does not wait. */
  readonly isLaid?: true;
  /** When it began, or ended. */
  readonly atMs: number;
  /** Hex of what all of its chance and its keys follow from. */
  readonly seed: string;
  readonly input?: Json;
  /** In its journal. */
  readonly entries: number;
  /** Signals that it has had. */
  readonly signalled: number;
  /** Beginnings after a thread or a node has ended, since the last entry. */
  readonly starts: number;
  /**
   * All beginnings but the first: each of them writes a record, by which the next end is not an orderly one.
   */
  readonly openings?: number;
  /** Pieces of what the clock showed, in its journal. */
  readonly clocks?: number;
  readonly waits: readonly Wait[];
  readonly kept: readonly Kept[];
  /** Of its input and its journal: what else stands in the row is counted as it is written. */
  readonly bytes: number;
  readonly undoing?: Undoing;
  readonly text?: string;
  readonly progress?: number;
  readonly result?: Json;
  readonly error?: WorkflowFault;
};

/** What was done under a name. */
export type Entry = {
  readonly step: string;
  /** Absent: nothing came of it. */
  readonly result?: Json;
  /** It was done, and its result is not kept; it could not be undone; or its signal has not come in time. */
  readonly fault?: StepFault;
  /** Whether it is to be undone. */
  readonly undo?: true;
};

/** A call that waits no longer, by its AbortSignal. */
export interface Left {
  readonly step: string;
  /** What its body hears. */
  readonly fault: StepFault;
  /** What nobody waits for any more. */
  readonly wait?: { readonly step: string; readonly signal: string };
}

/** Of all workflows of a session. */
export type Totals = {
  readonly live: number;
  readonly running: number;
  readonly ended: number;
  readonly bytes: number;
};

const none: Totals = { live: 0, running: 0, ended: 0, bytes: 0 };
/** No workflow has it as its id. */
const totalsKey = "";

/** A map of the state, as a handler has it. */
export interface StateMap {
  get(key: string): Json | undefined;
  set(key: string, value: Json): void;
  delete(key: string): boolean;
  keys(): Iterable<string>;
}

export const isEnded = ({ phase }: Row): boolean => phase !== "running" && phase !== "waiting";

/** Reads and writes the two maps, in one turn. All that it writes is counted. */
export class Rows {
  readonly #rows: StateMap;
  readonly #journal: StateMap;

  /** `state`: of an agent with workflows. */
  constructor(state: object) {
    this.#rows = Reflect.get(state, workflowFields.rows) as StateMap;
    this.#journal = Reflect.get(state, workflowFields.journal) as StateMap;
  }

  get totals(): Totals {
    return (this.#rows.get(totalsKey) as Totals | undefined) ?? none;
  }

  get(id: string): Row | undefined {
    return id === totalsKey ? undefined : (this.#rows.get(id) as Row | undefined);
  }

  *all(): Iterable<readonly [id: string, row: Row]> {
    for (const id of this.#rows.keys()) {
      const row = this.get(id);
      if (row !== undefined) yield [id, row];
    }
  }

  /** `undefined`: it goes. Keeps the totals. */
  put(id: string, row: Row | undefined): Totals {
    const before = this.get(id);
    if (row === undefined) this.#rows.delete(id);
    else this.#rows.set(id, row);
    const { totals } = this;
    const change = (count: (row: Row) => number): number =>
      (row === undefined ? 0 : count(row)) - (before === undefined ? 0 : count(before));
    const after: Totals = {
      live: totals.live + change((one) => Number(!isEnded(one))),
      running: totals.running + change(({ phase }) => Number(phase === "running")),
      ended: totals.ended + change((one) => Number(isEnded(one))),
      bytes: totals.bytes + change((one) => weightOf(id, one)),
    };
    this.#rows.set(totalsKey, after);
    return after;
  }

  entries(id: string, { entries }: Row): readonly Entry[] {
    return Array.from({ length: entries }, (_, place) => this.#journal.get(entryKey(id, place)) as Entry);
  }

  /** The entry of a step, and where it is. */
  find(id: string, { entries }: Row, step: string) {
    for (let place = entries - 1; place >= 0; place -= 1) {
      const key = entryKey(id, place);
      const entry = this.#journal.get(key) as Entry;
      if (entry.step === step) return { key, entry };
    }
    return undefined;
  }

  /** What the clock showed, in the order in which it was asked. */
  times(id: string, { clocks = 0 }: Row): readonly number[] {
    return Array.from({ length: clocks }, (_, at) => this.#journal.get(clockKey(id, at)) as number[]).flat();
  }

  /** Each of these gives the row that goes with what it has written; nobody has put that yet. */
  withEntry(id: string, row: Row, entry: Entry): Row {
    const bytes = this.#write(entryKey(id, row.entries), entry);
    return { ...row, entries: row.entries + 1, bytes: row.bytes + bytes };
  }

  withTimes(id: string, row: Row, times: readonly number[]): Row {
    if (times.length === 0) return row;
    const { clocks = 0 } = row;
    const bytes = this.#write(clockKey(id, clocks), times);
    return { ...row, clocks: clocks + 1, bytes: row.bytes + bytes };
  }

  /** The data of a signal that waits. */
  withSignal(id: string, row: Row, signal: string, data: Json | undefined): Row {
    const place = row.signalled;
    const entry: Entry = { step: signal, ...(data !== undefined && { result: data }) };
    const bytes = this.#write(signalKey(id, place), entry);
    const kept = [...row.kept, { signal, place }];
    return { ...row, kept, signalled: place + 1, bytes: row.bytes + bytes };
  }

  /**
   * What came for a wait, and its body has not had, is kept again, before all others. Its entry is nobody's.
   */
  givenBack(id: string, row: Row, { step, signal }: NonNullable<Left["wait"]>): Row {
    const had = this.find(id, row, step);
    if (had === undefined) return row;
    const bytes = row.bytes - bytesAt(had.key, had.entry) + this.#write(had.key, { step: waited });
    const given = this.withSignal(id, { ...row, bytes, kept: [] }, signal, had.entry.result);
    return { ...given, kept: [...given.kept, ...row.kept] };
  }

  /** One of its kept ones is taken. */
  taken(id: string, row: Row, one: Kept): { readonly row: Row; readonly data: Json | undefined } {
    const key = signalKey(id, one.place);
    const entry = this.#journal.get(key) as Entry;
    this.#journal.delete(key);
    const kept = row.kept.filter((other) => other !== one);
    return { row: { ...row, kept, bytes: row.bytes - bytesAt(key, entry) }, data: entry.result };
  }

  /** Its journal ends. */
  forget(id: string, { entries, kept, clocks = 0 }: Row): void {
    for (let place = 0; place < entries; place += 1) this.#journal.delete(entryKey(id, place));
    for (let at = 0; at < clocks; at += 1) this.#journal.delete(clockKey(id, at));
    for (const { place } of kept) this.#journal.delete(signalKey(id, place));
  }

  /** Returns what it takes. */
  #write(key: string, value: Json): number {
    this.#journal.set(key, value);
    return bytesAt(key, value);
  }
}

const entryKey = (id: string, place: number): string => `${place} ${id}`;
const signalKey = (id: string, place: number): string => `s${place} ${id}`;
const clockKey = (id: string, at: number): string => `c${at} ${id}`;

/** What a map has beside key and value, at most. */
const aroundBytes = 16;
const bytesAt = (key: string, value: unknown): number =>
  Buffer.byteLength(key) + bytesOf(value) + aroundBytes;

/** Without its input, which is counted once: it may be large, and rows are written often. */
function shortBytes(id: string, whole: Row): number {
  const { input: _, ...row } = whole;
  return bytesAt(id, row);
}
/** What the row itself takes. */
export const rowBytes = (id: string, row: Row): number => shortBytes(id, row) + bytesOf(row.input);
const weightOf = (id: string, row: Row): number => row.bytes + shortBytes(id, row);
