// What a body waits for, and when its session need not keep it in memory any more.
import type { Json } from "voda/definition";
import { errorOf } from "./workflow-faults.ts";
import type { Entry } from "./workflow-rows.ts";
import type { WaitFor } from "./workflow-table.ts";
import { OwnTurnLost, type TurnLine } from "./workflow-turns.ts";
import type { BodyWork } from "./workflow-work.ts";

interface Waiting extends WaitFor {
  /** It stands in the row. */
  isNoted: boolean;
  readonly resolve: (result: Json | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** Of one run of a body. */
export interface WorkflowWaitsParts {
  readonly id: string;
  readonly line: TurnLine;
  readonly work: BodyWork;
  /** The entry of a step is the next that the body has; false when it was taken back. */
  readonly handedOut: (step: string) => Promise<boolean>;
  readonly after: (ms: number, act: () => void) => () => void;
  readonly isEnding: () => boolean;
  /** Asked when the body has gone as far as it gets. What is being undone waits for nothing any more. */
  readonly mayWait: () => boolean;
  /** It is parked. */
  readonly rested: () => void;
  /** A turn was lost. */
  readonly lost: () => void;
}

/** What is written once a body has gone as far as it gets. */
type Rest = "nothing" | "note" | "park";

/**
 * It parks when nothing is at work and it waits for something: then a signal or a time is all that goes on
 * with it, as far as anybody sees. Waits that began meanwhile are noted in any case, so that their time runs.
 */
export function restOf(waiting: Iterable<Pick<Waiting, "isNoted">>, isIdle: boolean): Rest {
  const all = Array.from(waiting);
  if (isIdle && all.length > 0) return "park";
  return all.some(({ isNoted }) => !isNoted) ? "note" : "nothing";
}

/** By the names of the steps that wait. */
export class WorkflowWaits {
  readonly #parts: WorkflowWaitsParts;
  readonly #waiting = new Map<string, Waiting>();
  /** Those that nobody has open any more. */
  readonly #dropped = new Set<string>();
  /** Whether anybody has them open is known soon. */
  readonly #withheld = new Set<string>();
  #isSettling = false;
  #isParked = false;

  constructor(parts: WorkflowWaitsParts) {
    this.#parts = parts;
  }

  /** Whether nothing but a signal or a timer goes on with the body, as far as anybody sees. */
  get isParked(): boolean {
    return this.#isParked;
  }

  /** It has no entry yet. One that was dropped never settles. */
  wait(step: string, what: WaitFor): Promise<Json | undefined> {
    const { promise, resolve, reject } = Promise.withResolvers<Json | undefined>();
    this.#add(step, { ...what, isNoted: false, resolve, reject });
    return this.#parts.work.rest(promise);
  }

  #add(step: string, waiting: Waiting): void {
    if (!this.#dropped.has(step)) this.#waiting.set(step, { ...waiting, isNoted: this.#withheld.has(step) });
  }

  drop(steps: Iterable<string>): void {
    for (const step of steps) {
      this.#dropped.add(step);
      this.#waiting.delete(step);
    }
  }

  /** It stands nowhere until it is renewed or dropped, and what has come for it is taken back. */
  withhold(step: string): void {
    this.#withheld.add(step);
    const waiting = this.#waiting.get(step);
    if (waiting !== undefined) waiting.isNoted = true;
  }

  /** They stand in the row again, if they do not any more. */
  renew(steps: Iterable<string>): void {
    for (const step of steps) {
      this.#withheld.delete(step);
      const waiting = this.#waiting.get(step);
      if (waiting !== undefined) waiting.isNoted = false;
    }
  }

  /** What it waits for has come: the body has it once it has all that came before. */
  appended({ step, result, fault }: Entry): void {
    const waiting = this.#waiting.get(step);
    this.#waiting.delete(step);
    this.#isParked = false;
    if (waiting !== undefined)
      void this.#parts.handedOut(step).then((isHad) => {
        if (!isHad) this.#add(step, waiting);
        else if (fault === undefined) waiting.resolve(result);
        else waiting.reject(errorOf(fault));
      });
    this.settleSoon();
  }

  /** A body that was parked goes on, by whatever it has awaited beside steps. */
  goOn(): void {
    this.#isParked = false;
  }

  end(error: unknown): void {
    this.#isParked = false;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }

  /** Once the body has gone as far as it gets. */
  settleSoon(): void {
    const { after, isEnding, mayWait, work } = this.#parts;
    if (this.#isSettling || this.#isParked || isEnding()) return;
    this.#isSettling = true;
    after(0, () => {
      this.#isSettling = false;
      if (!mayWait() || this.#isParked || isEnding()) return;
      const rest = restOf(this.#waiting.values(), work.isNone);
      if (rest !== "nothing") void this.#note(rest);
    });
  }

  /**
   * What it waits for stands in the row, before it is parked. One that came meanwhile is told by `appended`,
   * and then the body is looked at again.
   */
  async #note(rest: Rest): Promise<void> {
    const { id, line, lost, rested, work } = this.#parts;
    const fresh = Array.from(this.#waiting).filter(([, { isNoted }]) => !isNoted);
    for (const [, waiting] of fresh) waiting.isNoted = true;
    const steps = Array.from(this.#waiting.keys());
    // one that has come may have another in its place
    const isStill = (): boolean =>
      work.isNone && this.#waiting.size === steps.length && steps.every((step) => this.#waiting.has(step));
    try {
      const isParked = await line.note((book) => {
        for (const [step, waiting] of fresh)
          if (this.#waiting.get(step) === waiting && !this.#withheld.has(step)) book.wait(id, step, waiting);
        return rest === "park" && isStill() && book.park(id, steps);
      });
      this.#isParked ||= isParked && isStill();
      if (this.#isParked) rested();
    } catch (error) {
      if (error instanceof OwnTurnLost) return lost();
      for (const [step, waiting] of fresh) {
        this.#waiting.delete(step);
        waiting.reject(error);
      }
    }
  }
}
