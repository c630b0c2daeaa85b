// Workflows as the state of their session has them: a row each, and a journal of what was done
// (docs/workflows.md).
import { type Json, type WorkflowError, type WorkflowPhase, workflowFields } from "voda/definition";

/** Workflows of a session that have not ended. */
export const workflowsMax = 1_000;
/** Those whose end is kept; the oldest go. */
export const workflowsEndedMax = 1_000;
/** Steps of one workflow. */
export const workflowStepsMax = 1_000;
/** Bytes of all workflows of a session, those that have ended with them. */
export const workflowBytesMax = 8 * 1024 * 1024;
/** Signals of one workflow that it has not waited for yet. */
export const signalsKeptMax = 100;
/** Beginnings of one without a step between them. */
export const workflowStartsMax = 16;

/** What stands before the names in the journal: of what the author has named, of waits, of what is undone. */
export const own = ".";
export const waited = "~";
export const undone = "-";

/** Something that a workflow waits for. */
export type Wait = {
  readonly step: string;
  /** Absent: nothing but its time. */
  readonly signal?: string;
  /** It has a timer. */
  readonly isTimed: boolean;
};

/** A signal that came before anybody waited for it. */
export type Kept = { readonly signal: string; readonly place: number };

/** It comes to an end other than its own: first what it did is undone. */
export type Undoing = { readonly phase: "failed" | "cancelled"; readonly error: WorkflowFault };
export type WorkflowFault = { readonly [K in keyof WorkflowError]: WorkflowError[K] };

/** JSON, as the map has it. */
export type Row = {
  readonly workflow: string;
  readonly phase: WorkflowPhase;
  /** When it began, or ended. */
  readonly atMs: number;
  /** Hex of what all of its chance and its keys follow from. */
  readonly seed: string;
  readonly input?: Json;
  /** In its journal. */
  readonly entries: number;
  /** Signals that it has had. */
  readonly signalled: number;
  /** Beginnings since the last entry. */
  readonly starts: number;
  readonly waits: readonly Wait[];
  readonly kept: readonly Kept[];
  /** Of it all. */
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
  /** Whether it is to be undone. */
  readonly undo?: true;
  /** What the clock showed, each time that the body asked since the entry before. */
  readonly times?: readonly number[];
};

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

/** Reads and writes the two maps, in one turn. */
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
      bytes: totals.bytes + change(({ bytes }) => bytes),
    };
    this.#rows.set(totalsKey, after);
    return after;
  }

  entries(id: string, { entries }: Row): readonly Entry[] {
    return Array.from({ length: entries }, (_, place) => this.#journal.get(entryKey(id, place)) as Entry);
  }

  putEntry(id: string, place: number, entry: Entry): void {
    this.#journal.set(entryKey(id, place), entry);
  }

  /** The data of a signal that waits. */
  keep(id: string, place: number, data: Entry): void {
    this.#journal.set(signalKey(id, place), data);
  }

  take(id: string, place: number): Json | undefined {
    const key = signalKey(id, place);
    const kept = this.#journal.get(key) as Entry | undefined;
    this.#journal.delete(key);
    return kept?.result;
  }

  /** Its journal ends. */
  forget(id: string, { entries, kept }: Row): void {
    for (let place = 0; place < entries; place += 1) this.#journal.delete(entryKey(id, place));
    for (const { place } of kept) this.#journal.delete(signalKey(id, place));
  }
}

const entryKey = (id: string, place: number): string => `${place} ${id}`;
const signalKey = (id: string, place: number): string => `s${place} ${id}`;

/** Roughly what stands around the texts of a row or of an entry. */
const headBytes = 256;

/** What a value takes of the bounds. */
export const bytesOfJson = (value: Json | undefined): number =>
  headBytes + (value === undefined ? 0 : Buffer.byteLength(JSON.stringify(value)));
