// The workflows of a session, in one turn: their rows, the room that they take, and the timers that hang on
// them.
import type { Due } from "@voda/proto/timing";
import { VodaError } from "voda/definition";
import { workflowTimerMark } from "../call/index.ts";
import { workflowBytesMax, workflowsEndedMax, workflowsFull, workflowsMax } from "./workflow-bounds.ts";
import { isEnded, type Row, Rows, type Wait } from "./workflow-rows.ts";

/** When a timer of the session is due. */
export type WaitDue = Exclude<Due, { type: "cron" }>;

/** A signal, a time, or whichever comes first. */
export interface WaitFor {
  readonly signal?: string;
  /** The end of a call that waits for a signal by that step. */
  readonly of?: string;
  readonly due?: WaitDue;
}

/** What timers of workflows say. */
export type Alarm = { readonly due: readonly [id: string, step: string] } | { readonly tick: true };

/** Sets a timer of the session that calls `what`, or takes it back. */
export type SetTimer = (id: string, due: WaitDue, what: Alarm | undefined) => void;

/** While one is running, somebody looks at the session so often; within `timerSoonMs` it does not sleep. */
const tickMs = 4_000;
const tickId = "_workflows";
/** The same for those whose name no revision has. */
const laidMs = 600_000;
const laidId = "_workflows laid";
/** Some at once: all are looked at for it. */
const endedKept = Math.floor((workflowsEndedMax * 3) / 4);
const bytesAtOnce = workflowBytesMax / 32;

/** It waits for a revision that has its name. Rows that are older than the mark wait for nothing else. */
export const isLaid = ({ phase, isLaid: isMarked, waits }: Row): boolean =>
  phase === "waiting" && (isMarked === true || waits.length === 0);

/** What a change throws undoes the turn, so it may have been written before. */
export class Table {
  readonly rows: Rows;
  readonly #timer: SetTimer;

  constructor(state: object, timer: SetTimer) {
    this.rows = new Rows(state);
    this.#timer = timer;
  }

  /** @throws VodaError */
  find(id: string): Row {
    const row = this.rows.get(id);
    if (row !== undefined) return row;
    throw new VodaError("not_found", `the session has no workflow ${JSON.stringify(id)}`, {
      reason: "workflow_not_found",
    });
  }

  /** @throws VodaError when there is none, or it has ended */
  live(id: string): Row {
    const row = this.find(id);
    if (!isEnded(row)) return row;
    const message = `workflow ${JSON.stringify(id)} has ended: it is ${row.phase}`;
    throw new VodaError("failed_precondition", message, { reason: "workflow_ended" });
  }

  /** `undefined` when there is none, or it has ended. */
  liveOrNone(id: string): Row | undefined {
    const row = this.rows.get(id);
    return row === undefined || isEnded(row) ? undefined : row;
  }

  /** One more. @throws VodaError */
  checkCount(): void {
    if (this.rows.totals.live >= workflowsMax)
      throw workflowsFull(
        `the session has ${workflowsMax} workflows that have not ended, with workflowsMax ${workflowsMax}; start it once some have ended or are cancelled, or in another session`,
      );
  }

  /** The timer that has somebody look is there exactly while a body is wanted. */
  put(id: string, row: Row): void {
    const before = this.rows.totals.running;
    const { running } = this.rows.put(id, row);
    if (before === 0 && running > 0) this.#timer(tickId, { type: "every", ms: tickMs }, { tick: true });
    if (before > 0 && running === 0) this.#timer(tickId, { type: "never" }, undefined);
  }

  /** Whether there is room for what was put, and for so much more. */
  hasRoom(more = 0): boolean {
    return this.rows.totals.bytes + more <= workflowBytesMax;
  }

  /** What has ended makes that room. @throws VodaError when that is not enough */
  makeRoom(more = 0): void {
    if (this.hasRoom(more)) return;
    this.#forgetEnded(() => !this.hasRoom(more + bytesAtOnce));
    if (this.hasRoom(more)) return;
    const words = `the workflows of the session take ${this.rows.totals.bytes} bytes`;
    const kept =
      more === 0
        ? ", with"
        : `, and ${more} are kept for what steps under way may fail with: together more than`;
    throw workflowsFull(
      `${words}${kept} workflowBytesMax ${workflowBytesMax}; let some end, or start others in another session`,
    );
  }

  /** So many ends are kept, and a few more. */
  forgetOld(): void {
    if (this.rows.totals.ended > workflowsEndedMax) this.#forgetEnded(({ ended }) => ended > endedKept);
  }

  /** A wait of it begins that has a time. */
  arm(id: string, row: Row, { step }: Wait, due: WaitDue): void {
    this.#timer(timerId(row, step), due, { due: [id, step] });
  }

  disarm(row: Row, waits: readonly Wait[]): void {
    for (const { step, isTimed } of waits)
      if (isTimed) this.#timer(timerId(row, step), { type: "never" }, undefined);
  }

  /** Somebody looks later for a revision that has what this one lacks. */
  awaitRevision(): void {
    this.#timer(laidId, { type: "in", ms: laidMs }, { tick: true });
  }

  /** The oldest first, as long as there is more than that. */
  #forgetEnded(isMore: (totals: Rows["totals"]) => boolean): void {
    const ended = Array.from(this.rows.all())
      .filter(([, row]) => isEnded(row))
      .toSorted(([, a], [, b]) => a.atMs - b.atMs);
    for (const [id] of ended) {
      if (!isMore(this.rows.totals)) return;
      this.rows.put(id, undefined);
    }
  }
}

/** A start under the same id later has timers of its own. */
const timerId = ({ seed }: Row, step: string): string => `${workflowTimerMark}${seed} ${step}`;
