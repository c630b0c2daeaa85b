// What a body waits for, and when its session need not keep it in memory any more.
import type { Json } from "voda/definition";
import { errorOf } from "./workflow-faults.ts";
import { type Entry, waited } from "./workflow-rows.ts";
import type { WaitFor } from "./workflow-table.ts";
import { OwnTurnLost, type TurnLine } from "./workflow-turns.ts";
import type { BodyWork } from "./workflow-work.ts";

interface Waiting extends WaitFor {
  /** It stands in the row. */
  isNoted: boolean;
  /** A later one stands for it. */
  isReplaced: boolean;
  readonly resolve: (result: Json | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** Of one run of a body. */
export interface WorkflowWaitsParts {
  readonly id: string;
  readonly line: TurnLine;
  readonly work: BodyWork;
  /** The entry of a step is the next that the body has. */
  readonly handedOut: (step: string) => Promise<unknown>;
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

interface LastWait {
  readonly step: string;
  readonly count: number;
  /** Steps of those that are open with it, and its own. */
  readonly open: Set<string>;
  /** The body has nothing of it yet. */
  isOpen: boolean;
}

/** By the names of the steps that wait. */
export class WorkflowWaits {
  readonly #parts: WorkflowWaitsParts;
  readonly #waiting = new Map<string, Waiting>();
  /** The last wait for each signal. */
  readonly #last = new Map<string, LastWait>();
  /** What stands for a wait whose signal another one has taken over. */
  readonly #heirs = new Map<string, Promise<unknown>>();
  #isSettling = false;
  #isParked = false;

  constructor(parts: WorkflowWaitsParts) {
    this.#parts = parts;
  }

  /** Whether nothing but a signal or a timer goes on with the body, as far as anybody sees. */
  get isParked(): boolean {
    return this.#isParked;
  }

  /**
   * The next wait for that signal. One that the body has nothing of yet may have lost a race, where nobody
   * reads what it would have: both settle as the new one does.
   */
  next<R>(signal: string, begin: (step: string, open: ReadonlySet<string>) => Promise<R>): Promise<R> {
    const before = this.#last.get(signal);
    const count = (before?.count ?? 0) + 1;
    const step = `${waited}${signal} ${count}`;
    const open = before?.isOpen ? before.open : new Set<string>();
    const last: LastWait = { step, count, open: open.add(step), isOpen: true };
    this.#last.set(signal, last);
    const begun = begin(step, open);
    const close = (): void => void (last.isOpen = false);
    begun.then(close, close);
    if (before?.isOpen) this.#replace(before.step, begun);
    return begun;
  }

  /** It has no entry yet. */
  wait(step: string, what: WaitFor): Promise<Json | undefined> {
    const { promise, resolve, reject } = Promise.withResolvers<Json | undefined>();
    this.#waiting.set(step, { ...what, isNoted: false, isReplaced: false, resolve, reject });
    const heir = this.#heirs.get(step);
    if (heir !== undefined) this.#replace(step, heir);
    return this.#parts.work.rest(promise);
  }

  /** What it waits for has come: the body has it once it has all that came before. */
  appended({ step, result, fault }: Entry): void {
    const waiting = this.#waiting.get(step);
    this.#waiting.delete(step);
    this.#isParked = false;
    if (waiting !== undefined)
      void this.#parts
        .handedOut(step)
        .then(() => (fault === undefined ? waiting.resolve(result) : waiting.reject(errorOf(fault))));
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

  /** An entry of its own still settles it: it was made before that of the heir. */
  #replace(step: string, heir: Promise<unknown>): void {
    this.#heirs.set(step, heir);
    const waiting = this.#waiting.get(step);
    if (waiting === undefined) return;
    waiting.isReplaced = true;
    heir.then((result) => waiting.resolve(result as Json | undefined), waiting.reject);
    const settled = (): void => {
      this.#heirs.delete(step);
      this.#waiting.delete(step);
    };
    heir.then(settled, settled);
  }

  /** Those that stand for themselves. */
  get #standing(): [step: string, waiting: Waiting][] {
    return Array.from(this.#waiting).filter(([, { isReplaced }]) => !isReplaced);
  }

  /** Once the body has gone as far as it gets. */
  settleSoon(): void {
    const { after, isEnding, mayWait, work } = this.#parts;
    if (this.#isSettling || this.#isParked || isEnding()) return;
    this.#isSettling = true;
    after(0, () => {
      this.#isSettling = false;
      if (!mayWait() || this.#isParked || isEnding()) return;
      const standing = this.#standing.map(([, waiting]) => waiting);
      const rest = restOf(standing, work.isNone);
      if (rest !== "nothing") void this.#note(rest);
    });
  }

  /**
   * What it waits for stands in the row, before it is parked. One that came meanwhile is told by `appended`,
   * and then the body is looked at again.
   */
  async #note(rest: Rest): Promise<void> {
    const { id, line, lost, rested, work } = this.#parts;
    const standing = this.#standing;
    const fresh = standing.filter(([, { isNoted }]) => !isNoted);
    for (const [, waiting] of fresh) waiting.isNoted = true;
    const steps = standing.map(([step]) => step);
    const isStill = (): boolean => work.isNone && this.#standing.length === steps.length;
    try {
      const isParked = await line.note((book) => {
        for (const [step, waiting] of fresh) book.wait(id, step, waiting);
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
