// How one run of a body comes to its end, its own or another one, and what it did is undone before that.
import type { Json } from "voda/definition";
import type { End } from "./workflow-book.ts";
import { tooLarge, workflowTimesMax } from "./workflow-bounds.ts";
import { cutUndo, endOf, notUndone, type StepFault, stopOf, type Undoing } from "./workflow-faults.ts";
import { keptResult } from "./workflow-result.ts";
import { type Entry, undone } from "./workflow-rows.ts";
import { OwnTurnLost, type TurnLine } from "./workflow-turns.ts";
import type { Undos } from "./workflow-undo.ts";
import type { BodyWork } from "./workflow-work.ts";

/** A body that does not end by itself when it is being undone is not waited for any longer. */
const undoPatienceMs = 10_000;
/** Steps of one run that may be rejected at once, and what each one more takes. */
const refusalsAtOnce = 1_000;
const refusalMs = 1;

/** Of one run of a body. */
export interface WorkflowEndingParts {
  readonly id: string;
  /** As its row had it when the body began. */
  readonly undoing: Undoing | undefined;
  readonly line: TurnLine;
  readonly work: BodyWork;
  readonly undos: Undos;
  /** All of the journal was handed out. */
  readonly isReplayed: () => boolean;
  readonly after: (ms: number, act: () => void) => () => void;
  /** Makes the entry of a step. */
  readonly append: (entry: Entry) => Promise<number>;
  /** Logs it, and gives what is kept of it. `what`: of the workflow has failed. */
  readonly faultOf: (error: unknown, what?: string) => StepFault;
  /** Where the log is. */
  readonly logName: string;
  /** At work until it ends; its session is left when a turn is lost. */
  readonly keep: <R>(act: () => Promise<R>) => Promise<R>;
  readonly isDropped: () => boolean;
  /** What it waits for rejects. */
  readonly endWaits: (error: unknown) => void;
  /** Nothing more comes of it. `isWritten`: its end is. */
  readonly over: (isWritten: boolean) => void;
}

/** Steps that are neither done nor undone, or were before: what is to be done about one that comes. */
type Fresh = "go" | "wait" | "stop";

/** Of a body that is to be undone: by what is in the journal alone, as far as that leads. */
export const freshOf = (isUndoing: boolean, isStopped: boolean): Fresh =>
  isStopped ? "stop" : isUndoing ? "wait" : "go";

/** The one that decides: a body has one end, whichever comes first. */
export class WorkflowEnding {
  readonly #parts: WorkflowEndingParts;
  /** It is to come to that end, once all is undone. */
  #undoing: Undoing | undefined;
  /** The body is to come to its end. */
  readonly #stopped = new AbortController();
  #refusals = 0;
  #loosePatience = (): void => undefined;
  #isPatient = false;
  /** The body has returned, or thrown. */
  #hasEnded = false;
  /** Nothing but what is undone, and the end, is written any more. */
  #isEnding = false;

  constructor(parts: WorkflowEndingParts) {
    this.#parts = parts;
    this.#undoing = parts.undoing;
  }

  get isEnding(): boolean {
    return this.#isEnding;
  }

  /** Fires when steps are to end: attempts under way are the last ones. */
  get stopped(): AbortSignal {
    return this.#stopped.signal;
  }

  returned(value: unknown): void {
    this.#bodyEnded(() => this.#returned(value));
  }

  threw(error: unknown): void {
    this.#bodyEnded(() => this.#threw(error));
  }

  /** It is cancelled: what it waits for rejects, what it does outside comes to its end. */
  undo(undoing: Undoing): void {
    if (this.#undoing !== undefined) return;
    this.#undoing = undoing;
    if (this.#parts.isReplayed()) this.#stop(undoing);
  }

  /**
   * The body has gone as far as it gets. One that is undone has gone as far as the journal leads: from here
   * on all that it does is refused. Gives whether it may wait.
   */
  rested(): boolean {
    const undoing = this.#undoing;
    if (undoing === undefined) return true;
    if (!this.#parts.work.isNone || this.stopped.aborted) return false;
    if (this.#parts.isReplayed()) this.#stop(undoing);
    else this.#stopLater(undoing);
    return false;
  }

  /**
   * A step comes that was never done. A body that is run again to be undone goes on by what is in the journal
   * alone, as far as that leads: were one rejected before, it would go another way than it went, past what it
   * did.
   */
  async fresh(): Promise<void> {
    const fresh = freshOf(this.#undoing !== undefined, this.stopped.aborted);
    if (fresh === "wait") {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.stopped.addEventListener("abort", () => resolve(), { once: true });
      await this.#parts.work.rest(promise);
    }
    // nothing is awaited without need: what is handed out meanwhile would come before
    const pause = this.stopped.aborted ? this.refused() : undefined;
    if (pause !== undefined) await this.#parts.work.rest(pause);
    this.stopped.throwIfAborted();
  }

  /**
   * A step is rejected at once. A body that goes on from each of them comes back with the next before
   * anything else of its thread can: beyond some of them it waits for that.
   */
  refused(): Promise<void> | undefined {
    this.#refusals += 1;
    if (this.#refusals <= refusalsAtOnce) return undefined;
    return new Promise((resolve) => void this.#parts.after(refusalMs, resolve));
  }

  /** The end is written, or the run is left. */
  close(): void {
    this.#isEnding = true;
    this.#loosePatience();
  }

  /** Entries are left: it awaits something beside its steps, or is of another revision, which lacks them. */
  #stopLater(undoing: Undoing): void {
    if (this.#isPatient) return;
    this.#isPatient = true;
    this.#loosePatience = this.#parts.after(undoPatienceMs, () => {
      this.#isPatient = false;
      if (this.#parts.work.isNone && !this.stopped.aborted) this.#stop(undoing);
    });
  }

  /** Steps reject from now on, but for those of the journal. */
  #stop({ error }: Undoing): void {
    this.#loosePatience();
    this.#stopped.abort(stopOf(error));
    this.#parts.endWaits(this.stopped.reason);
    this.#patience();
  }

  /** For a body that waits for something else than steps. */
  #patience(): void {
    if (this.#hasEnded) return;
    this.#loosePatience = this.#parts.after(undoPatienceMs, () => {
      if (!this.#hasEnded && !this.#isEnding) this.#finish(() => this.#undoAll());
    });
  }

  #bodyEnded(end: () => Promise<void>): void {
    this.#hasEnded = true;
    this.#loosePatience();
    this.#finish(end);
  }

  /** What cannot be written, such as into a state that is full, is tried again when it is run again. */
  #finish(end: () => Promise<void>): void {
    const { isDropped, keep, faultOf, over } = this.#parts;
    if (isDropped()) return;
    keep(end).catch((error: unknown) => {
      faultOf(error, "the end of ");
      over(false);
    });
  }

  /** Steps that it has not awaited are not. */
  async #returned(value: unknown): Promise<void> {
    if (this.#undoing !== undefined) return this.#undoAll();
    let result: Json | undefined;
    try {
      result = keptResult("what the workflow returned", value);
    } catch (error) {
      return this.#threw(error);
    }
    await this.#end({ phase: "done", ...(result !== undefined && { result }) });
  }

  /** Steps side by side with the one that threw come to their end first: what they did is undone too. */
  async #threw(error: unknown): Promise<void> {
    const { id, line, undos, work, faultOf } = this.#parts;
    if (this.#undoing === undefined) {
      const { code, reason, message } = faultOf(error);
      const undoing: Undoing = { phase: "failed", error: { code, reason, message } };
      this.#stopped.abort(stopOf(undoing.error));
      await work.alone();
      if (undos.areNone) return this.#end(undoing);
      await line.write((book) => book.undo(id, undoing));
      this.#undoing ??= undoing;
    }
    await this.#undoAll();
  }

  /** What was undone before its node died is in the journal. */
  async #undoAll(): Promise<void> {
    const { work, undos, logName } = this.#parts;
    const undoing = this.#undoing;
    if (this.#isEnding || undoing === undefined) return;
    this.#isEnding = true;
    await work.alone();
    const failures = await undos.undo((step, thrown) => this.#failed(step, thrown));
    await this.#end(endOf(undoing, failures, logName));
  }

  /** A step could not be undone: that is in the journal too, or it would be tried after each death. */
  async #failed(step: string, thrown: unknown): Promise<string> {
    if (thrown instanceof OwnTurnLost) throw thrown;
    const { append, faultOf } = this.#parts;
    const { code, reason, message } = faultOf(thrown, `the undo of step ${JSON.stringify(step)} of `);
    const kept = { code, reason, message: cutUndo(message) };
    await append({ step: undone + step, fault: kept });
    return notUndone(step, kept.message);
  }

  /** The last turn of it. */
  async #end(how: End): Promise<void> {
    const { id, line, over } = this.#parts;
    this.#isEnding = true;
    await line.write((book) => book.end(id, how));
    over(true);
  }
}

/** Beyond it what the clock showed would not be the same when the body runs again. */
export const tooManyTimes = (step: string): Error =>
  tooLarge(
    `step ${JSON.stringify(step)}: the workflow has asked wf.now() more often than workflowTimesMax ${workflowTimesMax}: its journal cannot hold it`,
  );
