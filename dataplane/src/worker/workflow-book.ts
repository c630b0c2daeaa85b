// What one turn does to the workflows of its session: rules and bounds of rows and journals. Nothing of it
// counts before the turn is committed.
import type { Due } from "@voda/proto/timing";
import {
  checkWorkflowName,
  type Json,
  type SignalRequest,
  type StartRequest,
  VodaError,
  type WorkflowStatus,
} from "voda/definition";
import { stepBytesMax } from "../call/index.ts";
import {
  bytesOfJson,
  type Entry,
  isEnded,
  type Row,
  Rows,
  signalsKeptMax,
  type Undoing,
  type Wait,
  type WorkflowFault,
  workflowBytesMax,
  workflowStartsMax,
  workflowStepsMax,
  workflowsEndedMax,
  workflowsMax,
} from "./workflow-rows.ts";

/** When a timer of the session is due. */
export type WaitDue = Exclude<Due, { type: "cron" }>;

/** What the turn has done beside its state. */
export interface BookParts {
  /** Of the turn, writable or not. */
  readonly state: object;
  /** Those that this revision has. */
  readonly workflows: Pick<ReadonlyMap<string, unknown>, "has" | "keys">;
  readonly nowMs: () => number;
  readonly uuid: () => string;
  readonly seed: () => string;
  /** Sets a timer of the session that calls `what`, or takes it back. */
  readonly timer: (id: string, due: WaitDue, what: Alarm | undefined) => void;
}

/** What timers of workflows say. */
export type Alarm = { readonly due: readonly [id: string, step: string] } | { readonly tick: true };

/** What the memory of the session must hear of once the turn is committed. */
export type Happened =
  | { readonly type: "begun"; readonly id: string; readonly isRerun: boolean }
  | { readonly type: "entered"; readonly id: string; readonly place: number; readonly entry: Entry }
  | { readonly type: "undoing"; readonly id: string; readonly undoing: Undoing };

/** What a body begins with. */
export interface Loaded {
  readonly row: Row;
  readonly entries: readonly Entry[];
}

/** While one is running, somebody looks at the session so often; within `timerSoonMs` it does not sleep. */
const tickMs = 4_000;
const tickId = "_workflows";
/** The same for those whose name no revision has. */
const laidMs = 600_000;
const laidId = "_workflows laid";
const isLaid = ({ phase, waits }: Row): boolean => phase === "waiting" && waits.length === 0;

/**
 * Of one turn. Rows are read at each call: a turn may do several things with one workflow. What a method
 * throws undoes the turn, so it may have written before.
 */
export class Book {
  readonly happened: Happened[] = [];
  readonly #parts: BookParts;
  readonly #rows: Rows;

  constructor(parts: BookParts) {
    this.#parts = parts;
    this.#rows = new Rows(parts.state);
  }

  /** Under an id that was used nothing is done: who starts again need not know. @throws VodaError */
  start({ workflow, id = this.#parts.uuid(), input }: StartRequest): string {
    const { workflows, nowMs, seed } = this.#parts;
    checkWorkflowName(workflow, workflows.keys());
    const known = this.#rows.get(id);
    if (known?.workflow === workflow) return id;
    if (known !== undefined) throw exists(id, known);
    const bytes = this.#sizeOf("the input", input) + 2 * id.length;
    if (this.#rows.totals.live >= workflowsMax)
      throw full(
        `the session has ${workflowsMax} workflows that have not ended, with workflowsMax ${workflowsMax}`,
      );
    this.#need(bytes);
    this.#put(id, {
      workflow,
      phase: "running",
      atMs: nowMs(),
      seed: seed(),
      ...(input !== undefined && { input }),
      entries: 0,
      signalled: 0,
      starts: 0,
      waits: [],
      kept: [],
      bytes,
    });
    this.happened.push({ type: "begun", id, isRerun: false });
    return id;
  }

  /** The first that waits for it has it; else it is kept. @throws VodaError */
  signal({ id, signal, data }: SignalRequest): void {
    const row = this.#live(id);
    const bytes = this.#sizeOf("the data", data);
    this.#need(bytes);
    const wait = row.waits.find((one) => one.signal === signal);
    if (wait !== undefined) {
      this.#resolve(id, row, wait, data);
      return;
    }
    if (row.kept.length >= signalsKeptMax)
      throw full(
        `workflow ${shown(id)} has not waited for ${row.kept.length} signals, with signalsKeptMax ${signalsKeptMax}`,
      );
    const place = row.signalled;
    this.#rows.keep(id, place, { step: signal, ...(data !== undefined && { result: data }) });
    const kept = [...row.kept, { signal, place }];
    this.#put(id, { ...row, kept, signalled: place + 1, bytes: row.bytes + bytes });
  }

  /** False when it has ended. @throws VodaError */
  cancel(id: string): boolean {
    const row = this.#find(id);
    if (isEnded(row)) return false;
    this.undo(id, { phase: "cancelled", error: cancelled(id) });
    return true;
  }

  status(id: string): WorkflowStatus {
    const { workflow, phase, waits, undoing, text, progress, result, error } = this.#find(id);
    return {
      id,
      workflow,
      phase,
      waitsFor: waits.map(({ step, signal }) => signal ?? step.slice(1)),
      undoing: undoing !== undefined,
      ...(text !== undefined && { text }),
      ...(progress !== undefined && { progress }),
      ...(result !== undefined && { result }),
      ...(error !== undefined && { error }),
    };
  }

  /** A timer is due: of a wait that is over nothing is left to do. */
  due(id: string, step: string): void {
    const row = this.#rows.get(id);
    const wait = row?.waits.find((one) => one.step === step);
    if (row !== undefined && wait !== undefined) this.#resolve(id, row, wait, undefined);
  }

  /** Those for which a body is wanted, and those that waited for a revision that has it. */
  wanted(): string[] {
    if (this.#rows.totals.live === 0) return [];
    const names = this.#parts.workflows;
    return Array.from(this.#rows.all())
      .filter(([, row]) => row.phase === "running" || (isLaid(row) && names.has(row.workflow)))
      .map(([id]) => id);
  }

  /** Somebody looks again for a revision that has those that none had. */
  awaitRevision(): void {
    const names = this.#parts.workflows;
    const isHere = this.#rows.totals.live > 0;
    if (isHere && Array.from(this.#rows.all()).some(([, row]) => isLaid(row) && !names.has(row.workflow)))
      this.#parts.timer(laidId, { type: "in", ms: laidMs }, { tick: true });
  }

  /** @throws VodaError when it has ended */
  requireLive(id: string): void {
    this.#live(id);
  }

  /** `undefined` when it has ended. */
  load(id: string): Loaded | undefined {
    const row = this.#rows.get(id);
    return row === undefined || isEnded(row) ? undefined : { row, entries: this.#rows.entries(id, row) };
  }

  /**
   * Its body begins again. One that ends its thread, or its node, each time comes to an end here: else it
   * would take all others of the bundle with it for ever.
   */
  begin(id: string): Loaded | undefined {
    const row = this.#rows.get(id);
    if (row === undefined || isEnded(row)) return undefined;
    const starts = row.starts + 1;
    if (starts >= workflowStartsMax) this.end(id, { phase: "failed", error: tooManyStarts(id) });
    else this.#put(id, { ...row, phase: "running", starts });
    return this.load(id);
  }

  /** No workflow of that name is in this revision: it waits for one that has it, or ends as it must. */
  lay(id: string): void {
    const row = this.#rows.get(id);
    if (row === undefined || isEnded(row)) return;
    const { undoing } = row;
    if (undoing === undefined) {
      this.#put(id, { ...row, phase: "waiting" });
      this.#parts.timer(laidId, { type: "in", ms: laidMs }, { tick: true });
      return;
    }
    const message = `${undoing.error.message}; nothing was undone: this revision has no workflow ${row.workflow}`;
    this.end(id, { phase: undoing.phase, error: { ...undoing.error, message } });
  }

  /** A step is done. Returns its place. @throws VodaError */
  append(id: string, entry: Entry): number {
    const row = this.#live(id);
    const bytes = this.#sizeOf(`the result of step ${shown(entry.step.slice(1))}`, entry.result);
    // what is being undone must come to its end
    if (row.undoing === undefined) refuseMore(id, row);
    this.#need(bytes);
    return this.#append(id, row, entry, bytes);
  }

  /** It waits, unless the signal is there already. @throws VodaError */
  wait(id: string, step: string, { signal, due }: { signal?: string; due?: WaitDue }): void {
    const row = this.#live(id);
    const isKnown = row.waits.some((one) => one.step === step);
    if (row.undoing !== undefined || isKnown) return;
    refuseMore(id, row);
    const kept = signal === undefined ? undefined : row.kept.find((one) => one.signal === signal);
    const wait: Wait = { step, ...(signal !== undefined && { signal }), isTimed: due !== undefined };
    if (kept !== undefined) {
      const data = this.#rows.take(id, kept.place);
      const bytes = row.bytes - bytesOfJson(data);
      this.#resolve(id, { ...row, kept: row.kept.filter((one) => one !== kept), bytes }, wait, data);
      return;
    }
    if (due !== undefined) this.#parts.timer(timerId(row, step), due, { due: [id, step] });
    this.#put(id, { ...row, waits: [...row.waits, wait] });
  }

  /** Nobody needs its memory until one of those comes. False when one has come meanwhile. */
  park(id: string, steps: readonly string[]): boolean {
    const row = this.#live(id);
    const isWaited = (step: string): boolean => row.waits.some((one) => one.step === step);
    if (row.undoing !== undefined || !steps.every(isWaited)) return false;
    this.#put(id, { ...row, phase: "waiting" });
    return true;
  }

  /** What people are told; without progress it has none. */
  say(id: string, text: string, progress: number | undefined): void {
    const { progress: _, ...row } = this.#live(id);
    this.#put(id, { ...row, text, ...(progress !== undefined && { progress }) });
  }

  /** What it did is to be undone: it waits for nothing any more. The first reason for it stays. */
  undo(id: string, undoing: Undoing): void {
    const row = this.#live(id);
    if (row.undoing !== undefined) return;
    for (const wait of row.waits) this.#disarm(row, wait);
    this.#put(id, { ...row, phase: "running", waits: [], undoing, starts: 0 });
    this.happened.push({ type: "undoing", id, undoing });
  }

  /** Its journal goes; how it ended stays as long as there is room. */
  end(id: string, how: Pick<Row, "phase" | "result" | "error">): void {
    const row = this.#live(id);
    for (const wait of row.waits) this.#disarm(row, wait);
    this.#rows.forget(id, row);
    const { text, progress } = row;
    this.#put(id, {
      workflow: row.workflow,
      atMs: this.#parts.nowMs(),
      seed: "",
      entries: 0,
      signalled: 0,
      starts: 0,
      waits: [],
      kept: [],
      bytes: bytesOfJson(how.result) + bytesOfJson(how.error) + 2 * id.length,
      ...(text !== undefined && { text }),
      ...(progress !== undefined && { progress }),
      ...how,
    });
    if (this.#rows.totals.ended > workflowsEndedMax) this.#forgetEnded(({ ended }) => ended > endedKept);
  }

  /** With an entry there is progress: beginnings count anew. */
  #append(id: string, row: Row, entry: Entry, bytes: number): number {
    const place = row.entries;
    this.#rows.putEntry(id, place, entry);
    this.#put(id, { ...row, phase: "running", entries: place + 1, starts: 0, bytes: row.bytes + bytes });
    return place;
  }

  /** Its bytes are not looked at: what is due must come in, else its timer would be in vain. */
  #resolve(id: string, row: Row, wait: Wait, data: Json | undefined): void {
    this.#disarm(row, wait);
    const entry: Entry = { step: wait.step, ...(data !== undefined && { result: data }) };
    const waits = row.waits.filter(({ step }) => step !== wait.step);
    const place = this.#append(id, { ...row, waits }, entry, bytesOfJson(data));
    this.happened.push({ type: "entered", id, place, entry });
  }

  #disarm(row: Row, { step, isTimed }: Wait): void {
    if (isTimed) this.#parts.timer(timerId(row, step), { type: "never" }, undefined);
  }

  /** The timer that has somebody look is there exactly while a body is wanted. */
  #put(id: string, row: Row): void {
    const before = this.#rows.totals.running;
    const { running } = this.#rows.put(id, row);
    if (before === 0 && running > 0) this.#parts.timer(tickId, { type: "every", ms: tickMs }, { tick: true });
    if (before > 0 && running === 0) this.#parts.timer(tickId, { type: "never" }, undefined);
  }

  /** @throws VodaError */
  #find(id: string): Row {
    const row = this.#rows.get(id);
    if (row !== undefined) return row;
    throw new VodaError("not_found", `the session has no workflow ${shown(id)}`, {
      reason: "workflow_not_found",
    });
  }

  /** @throws VodaError */
  #live(id: string): Row {
    const row = this.#find(id);
    if (!isEnded(row)) return row;
    const message = `workflow ${shown(id)} has ended: it is ${row.phase}`;
    throw new VodaError("failed_precondition", message, { reason: "workflow_ended" });
  }

  /** What a value takes, if it is not too much for one. @throws VodaError */
  #sizeOf(what: string, value: Json | undefined): number {
    const bytes = bytesOfJson(value);
    if (bytes > stepBytesMax)
      throw tooLarge(`${what} of ${bytes} bytes exceeds stepBytesMax ${stepBytesMax}`);
    return bytes;
  }

  /** What has ended makes room. @throws VodaError */
  #need(bytes: number): void {
    if (this.#rows.totals.bytes + bytes <= workflowBytesMax) return;
    this.#forgetEnded((totals) => totals.bytes + bytes > workflowBytesMax);
    const has = this.#rows.totals.bytes;
    if (has + bytes > workflowBytesMax)
      throw full(`the workflows of the session take ${has} bytes, with workflowBytesMax ${workflowBytesMax}`);
  }

  /** The oldest first, as long as there is more than that. */
  #forgetEnded(isMore: (totals: Rows["totals"]) => boolean): void {
    const ended = Array.from(this.#rows.all())
      .filter(([, row]) => isEnded(row))
      .toSorted(([, a], [, b]) => a.atMs - b.atMs);
    for (const [id] of ended) {
      if (!isMore(this.#rows.totals)) return;
      this.#rows.put(id, undefined);
    }
  }
}

/** Some at once: all are looked at for it. */
const endedKept = Math.floor((workflowsEndedMax * 3) / 4);

/** @throws VodaError */
function refuseMore(id: string, { entries, waits }: Row): void {
  const steps = entries + waits.length;
  if (steps >= workflowStepsMax)
    throw tooLarge(`workflow ${shown(id)} has ${steps} steps, with workflowStepsMax ${workflowStepsMax}`);
}

/** A start under the same id later has timers of its own. */
const timerId = ({ seed }: Row, step: string): string => `_workflow ${seed} ${step}`;

const shown = (text: string): string => JSON.stringify(text);

const exists = (id: string, { workflow }: Row): VodaError =>
  new VodaError("already_exists", `${shown(id)} is the id of a workflow ${workflow}`, {
    reason: "workflow_exists",
  });
const full = (message: string): VodaError =>
  new VodaError("resource_exhausted", message, { reason: "workflows_full" });
const tooLarge = (message: string): VodaError =>
  new VodaError("resource_exhausted", message, { reason: "too_large" });
const cancelled = (id: string): WorkflowFault => ({
  code: "canceled",
  reason: "workflow_cancelled",
  message: `workflow ${shown(id)} was cancelled`,
});
const tooManyStarts = (id: string): WorkflowFault => ({
  code: "unavailable",
  reason: "worker_lost",
  message: `workflow ${shown(id)} was begun workflowStartsMax ${workflowStartsMax} times without a step: it ends its thread or its node, or a step of it takes longer than they live; what it did is not undone`,
});
