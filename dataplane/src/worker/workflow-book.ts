// What one turn does to the workflows of its session: the rules. Nothing of it counts before the turn is
// committed.
import {
  checkWorkflowName,
  type Json,
  type SignalRequest,
  type StartRequest,
  VodaError,
  type WorkflowStatus,
} from "voda/definition";
import {
  bytesOf,
  checkKept,
  checkRow,
  checkSize,
  checkSteps,
  faultEntryBytes,
  faultEntryBytesMax,
  workflowStartsMax,
} from "./workflow-bounds.ts";
import { cancelledFault, faultOf, lateFault, lostFault, type Undoing } from "./workflow-faults.ts";
import { listOf, namesOf } from "./workflow-list.ts";
import { type Entry, isEnded, type Left, type Row, rowBytes, type Wait } from "./workflow-rows.ts";
import { isLaid, type SetTimer, Table, type WaitFor } from "./workflow-table.ts";

/** What the turn has done beside its state. */
export interface BookParts {
  /** Of the turn, writable or not. */
  readonly state: object;
  /** Those that this revision has. */
  readonly workflows: Pick<ReadonlyMap<string, unknown>, "has" | "keys">;
  readonly nowMs: () => number;
  readonly uuid: () => string;
  readonly seed: () => string;
  readonly timer: SetTimer;
}

/** What the memory of the session must hear of once the turn is committed. */
export type Happened =
  /** `isRerun`: its body has run before, in this memory or in another one. */
  | { readonly type: "begun"; readonly id: string; readonly isRerun: boolean }
  | { readonly type: "entered"; readonly id: string; readonly place: number; readonly entry: Entry }
  | { readonly type: "undoing"; readonly id: string; readonly undoing: Undoing };

/** What a body begins with. */
export interface Loaded {
  readonly row: Row;
  readonly entries: readonly Entry[];
  /** What the clock showed, in the order in which the body asked. */
  readonly times: readonly number[];
}

/** How a workflow ends. */
export type End = Pick<Row, "phase" | "result" | "error">;

/** Of one turn. Rows are read at each call: a turn may do several things with one workflow. */
export class Book {
  readonly happened: Happened[] = [];
  readonly #parts: BookParts;
  readonly #table: Table;

  constructor(parts: BookParts) {
    this.#parts = parts;
    this.#table = new Table(parts.state, parts.timer);
  }

  /** Under an id that was used nothing is done: who starts again need not know. @throws VodaError */
  start({ workflow, id = this.#parts.uuid(), input }: StartRequest): string {
    const { workflows, nowMs, seed } = this.#parts;
    checkWorkflowName(workflow, workflows.keys());
    const known = this.#table.rows.get(id);
    if (known?.workflow === workflow) return id;
    if (known !== undefined) throw exists(id, known);
    checkSize("the input", input);
    this.#table.checkCount();
    this.#table.put(id, {
      ...empty,
      workflow,
      phase: "running",
      atMs: nowMs(),
      seed: seed(),
      ...(input !== undefined && { input }),
      bytes: bytesOf(input),
    });
    this.#table.makeRoom();
    this.happened.push({ type: "begun", id, isRerun: false });
    return id;
  }

  /** The first that waits for it has it; else it is kept. @throws VodaError */
  signal({ id, signal, data }: SignalRequest): void {
    const row = this.#table.live(id);
    checkSize("the data", data);
    const wait = row.waits.find((one) => one.signal === signal);
    if (wait !== undefined) this.#resolve(id, row, wait, cameWith(data));
    else {
      checkKept(id, row);
      this.#putChecked(id, this.#table.rows.withSignal(id, row, signal, data));
    }
    this.#table.makeRoom();
  }

  /** False when it has ended. @throws VodaError */
  cancel(id: string): boolean {
    const row = this.#table.find(id);
    if (isEnded(row)) return false;
    this.undo(id, { phase: "cancelled", error: cancelledFault(id) });
    return true;
  }

  status(id: string): WorkflowStatus {
    const { workflow, phase, waits, undoing, text, progress, result, error } = this.#table.find(id);
    return {
      id,
      workflow,
      phase,
      waitsFor: namesOf(waits),
      undoing: undoing !== undefined,
      ...(text !== undefined && { text }),
      ...(progress !== undefined && { progress }),
      ...(result !== undefined && { result }),
      ...(error !== undefined && { error }),
    };
  }

  /** All of them, for people. */
  list(): object {
    return listOf(this.#table.rows);
  }

  /** A timer is due: of a wait that is over nothing is left to do. */
  due(id: string, step: string): void {
    const row = this.#table.rows.get(id);
    const wait = row?.waits.find((one) => one.step === step);
    if (row === undefined || wait === undefined) return;
    // rows that are older than the times of calls have them with the signal
    const signal = wait.signal ?? row.waits.find((one) => one.step === wait.of)?.signal;
    this.#resolve(id, row, wait, signal === undefined ? {} : { fault: lateFault(signal) });
  }

  /** Those for which a body is wanted, and those that waited for a revision that has it. */
  wanted(): string[] {
    const { rows } = this.#table;
    if (rows.totals.live === 0) return [];
    const names = this.#parts.workflows;
    return Array.from(rows.all())
      .filter(([, row]) => row.phase === "running" || (isLaid(row) && names.has(row.workflow)))
      .map(([id]) => id);
  }

  /** Somebody looks again for a revision that has those that none had. */
  awaitRevision(): void {
    const names = this.#parts.workflows;
    const { rows } = this.#table;
    const isLacking = ([, row]: readonly [string, Row]) => isLaid(row) && !names.has(row.workflow);
    if (rows.totals.live > 0 && Array.from(rows.all()).some(isLacking)) this.#table.awaitRevision();
  }

  /**
   * Before something is done outside there must be a place for what comes of it, and somebody who looks at
   * the workflow meanwhile: whether that is so. `more`: steps that are at work beside it. @throws VodaError
   */
  isReady(id: string, more: number): boolean {
    const row = this.#table.live(id);
    if (row.undoing !== undefined) return true;
    checkSteps(id, row, more);
    return row.phase === "running" && this.#table.hasRoom(faultsBytes(more));
  }

  /** Makes it so: one that was parked goes on by itself. @throws VodaError */
  makeReady(id: string, more: number): void {
    if (this.isReady(id, more)) return;
    this.#table.put(id, { ...this.#table.live(id), phase: "running" });
    this.#table.makeRoom(faultsBytes(more));
  }

  /** `undefined` when it has ended. */
  load(id: string): Loaded | undefined {
    const row = this.#table.liveOrNone(id);
    const { rows } = this.#table;
    return row && { row, entries: rows.entries(id, row), times: rows.times(id, row) };
  }

  /**
   * Its body begins again. `isLost`: after a thread or a node has ended with it. One that ends them each time
   * comes to an end here: else it would take all others of the bundle with it for ever.
   */
  begin(id: string, isLost: boolean): Loaded | undefined {
    const row = this.#table.liveOrNone(id);
    if (row === undefined) return undefined;
    const starts = row.starts + Number(isLost);
    if (starts >= workflowStartsMax) this.#giveUp(id, row);
    else this.#table.put(id, { ...row, phase: "running", starts, openings: (row.openings ?? 0) + 1 });
    return this.load(id);
  }

  /** No workflow of that name is in this revision: it waits for one that has it, or ends as it must. */
  lay(id: string): void {
    const row = this.#table.liveOrNone(id);
    if (row === undefined) return;
    if (row.undoing === undefined) {
      // no body of it was at work: whatever ends this thread is not its doing
      this.#table.put(id, { ...row, phase: "waiting", isLaid: true, starts: 0 });
      this.#table.awaitRevision();
    } else
      this.#endWith(id, row.undoing, `nothing was undone: this revision has no workflow ${row.workflow}`);
  }

  /**
   * A step is done, or has failed for good. Returns its place. `isOutside`: it was done outside, and there is
   * no result to refuse. @throws VodaError
   */
  append(id: string, entry: Entry, isOutside = false): number {
    const row = this.#table.live(id);
    // what was done outside must be written, and what is undone must come to its end
    const isFree = row.undoing !== undefined || isOutside;
    if (!isFree) {
      checkSize(`the result of step ${JSON.stringify(entry.step.slice(1))}`, entry.result);
      checkSteps(id, row);
    }
    this.#append(id, row, entry);
    // a failure is what keeps the body on its way, and is short
    if (!isFree && entry.fault === undefined) this.#table.makeRoom();
    return row.entries;
  }

  /** What the clock showed before what follows in this turn, and is refused with it. */
  clock(id: string, times: readonly number[]): void {
    const row = this.#table.live(id);
    if (times.length > 0) this.#table.put(id, this.#table.rows.withTimes(id, row, times));
  }

  /**
   * It waits, unless the signal is there already. A step that has come to its end does not wait again, and a
   * call for no longer than its signal. @throws VodaError
   */
  wait(id: string, step: string, { signal, of, due }: WaitFor): void {
    const row = this.#table.live(id);
    const stands = (what: string): boolean => row.waits.some((one) => one.step === what);
    const isOver = row.undoing !== undefined || (of !== undefined && !stands(of));
    if (isOver || stands(step) || this.#table.rows.find(id, row, step) !== undefined) return;
    checkSteps(id, row);
    const isOfSignal = signal !== undefined && { signal };
    const wait: Wait = { step, ...isOfSignal, ...(of !== undefined && { of }), isTimed: due !== undefined };
    const kept = row.kept.find((one) => one.signal === signal);
    if (kept !== undefined) {
      const came = this.#table.rows.taken(id, row, kept);
      return this.#resolve(id, came.row, wait, cameWith(came.data));
    }
    if (due !== undefined) this.#table.arm(id, row, wait, due);
    this.#putChecked(id, { ...row, waits: [...row.waits, wait] });
    this.#table.makeRoom();
  }

  /** A call has ended by its AbortSignal. Returns the place of its entry. @throws VodaError */
  leave(id: string, { step, fault, wait }: Left): number {
    const before = this.#table.live(id);
    const { row, gone } = this.#without(before, (one) => one.step === step || one.step === wait?.step);
    if (gone === 0) checkSteps(id, before);
    const left = wait === undefined ? row : this.#table.rows.givenBack(id, row, wait);
    this.#append(id, left, { step, fault });
    return left.entries;
  }

  /** With the timers of what does not wait any more. */
  #without(row: Row, isGone: (wait: Wait) => boolean) {
    const gone = row.waits.filter(isGone);
    this.#table.disarm(row, gone);
    return { row: { ...row, waits: row.waits.filter((one) => !gone.includes(one)) }, gone: gone.length };
  }

  /** Nobody needs its memory until one of those comes. False when one has come meanwhile. */
  park(id: string, steps: readonly string[]): boolean {
    const { isLaid: _, ...row } = this.#table.live(id);
    const isWaited = (step: string): boolean => row.waits.some((one) => one.step === step);
    if (row.undoing !== undefined || !steps.every(isWaited)) return false;
    this.#table.put(id, { ...row, phase: "waiting" });
    return true;
  }

  /** What people are told; without progress it has none. @throws VodaError */
  say(id: string, text: string, progress: number | undefined): void {
    const { progress: _, ...row } = this.#table.live(id);
    this.#putChecked(id, { ...row, text, ...(progress !== undefined && { progress }) });
    this.#table.makeRoom();
  }

  /** What it did is to be undone: it waits for nothing any more. The first reason for it stays. */
  undo(id: string, undoing: Undoing): void {
    const row = this.#table.live(id);
    if (row.undoing !== undefined) return;
    this.#table.disarm(row, row.waits);
    this.#table.put(id, { ...row, phase: "running", waits: [], undoing, starts: 0 });
    this.happened.push({ type: "undoing", id, undoing });
  }

  /** Its journal goes; how it ended stays as long as there is room. */
  end(id: string, how: End): void {
    const row = this.#table.live(id);
    this.#table.disarm(row, row.waits);
    this.#table.rows.forget(id, row);
    const { workflow, text, progress } = row;
    this.#table.put(id, {
      ...empty,
      workflow,
      atMs: this.#parts.nowMs(),
      ...(text !== undefined && { text }),
      ...(progress !== undefined && { progress }),
      ...how,
    });
    this.#table.forgetOld();
  }

  /**
   * It has ended too many threads. What it did is undone, for which nothing new is done; when that ends them
   * too, nobody runs it any more.
   */
  #giveUp(id: string, { undoing }: Row): void {
    const lost = lostFault(id);
    if (undoing === undefined) this.undo(id, { phase: "failed", error: lost });
    else this.#endWith(id, undoing, `not all of it is undone: ${lost.message}`);
  }

  #endWith(id: string, { phase, error }: Undoing, why: string): void {
    this.end(id, { phase, error: faultOf({ ...error, message: `${error.message}; ${why}` }) });
  }

  /** With an entry there is progress: beginnings count anew. */
  #append(id: string, row: Row, entry: Entry): void {
    this.#table.put(id, { ...this.#table.rows.withEntry(id, row, entry), phase: "running", starts: 0 });
  }

  /** Nothing is refused here: what is due must come in, else its timer would be in vain. */
  #resolve(id: string, before: Row, wait: Wait, came: Pick<Entry, "result" | "fault">): void {
    const { step, of } = wait;
    // calls end with the signal, and what no call is known to wait for with the last of them
    const isLast = !before.waits.some((one) => one.of === of && one.step !== step);
    const isGone = (one: Wait): boolean =>
      one.step === step || one.of === step || (one.step === of && isLast);
    const { row } = this.#without(before, isGone);
    const entry: Entry = { step, ...came };
    this.#append(id, row, entry);
    this.happened.push({ type: "entered", id, place: row.entries, entry });
  }

  /** What grows as others want it. @throws VodaError */
  #putChecked(id: string, row: Row): void {
    checkRow(id, rowBytes(id, row));
    this.#table.put(id, row);
  }
}

/** Of a step, and of those beside it, if they fail. */
const faultsBytes = (more: number): number => faultEntryBytesMax + more * faultEntryBytes;

const cameWith = (data: Json | undefined): Pick<Entry, "result"> =>
  data === undefined ? {} : { result: data };

const empty = { seed: "", entries: 0, signalled: 0, starts: 0, waits: [], kept: [], bytes: 0 } as const;

const exists = (id: string, { workflow }: Row): VodaError =>
  new VodaError("already_exists", `${JSON.stringify(id)} is the id of a workflow ${workflow}`, {
    reason: "workflow_exists",
  });
