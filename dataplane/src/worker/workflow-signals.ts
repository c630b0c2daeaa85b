// Waits for signals: those for one signal that are open at the same time are one. Each call may end before it
// comes, by a time or an AbortSignal of its own (docs/workflows.md).
import type { WaitEnd } from "voda/definition";
import { givenUpFault } from "./workflow-faults.ts";
import { ended, type Left, waited } from "./workflow-rows.ts";
import type { WaitFor } from "./workflow-table.ts";

/** Of one run of a body. */
export interface SignalWaitsParts {
  /** A step that waits, from now on. */
  readonly begin: (step: string, what: WaitFor) => Promise<unknown>;
  /** Nobody has what such a step comes to any more. */
  readonly drop: (steps: Iterable<string>) => void;
  /** They are to stand in the row again: the end of another call may have taken them away. */
  readonly renew: (steps: Iterable<string>) => void;
  readonly hasEntry: (step: string) => boolean;
  /** Whether a body before this one may have gone on from what came for it. */
  readonly isTold: (step: string) => boolean;
  /**
   * Makes the entry of a call that has ended, and rejects with it; fulfilled where its time was first. The
   * body has nothing until it is made; `left` is asked then.
   */
  readonly leave: (step: string, left: () => Left) => Promise<void>;
}

/** What calls wait for together. */
interface SharedWait {
  readonly signal: string;
  readonly step: string;
  readonly come: Promise<unknown>;
  /** Calls that have nothing of it yet. */
  open: number;
  /** Those of them whose AbortSignal has fired. */
  leaving: number;
  /** Calls that may end by themselves, so far. */
  ends: number;
  /** Steps of their ends, where they are open. */
  readonly timed: Set<string>;
}

/** One that may end by itself. */
interface OpenCall {
  readonly shared: SharedWait;
  /** Of its end. */
  readonly step: string;
  isOpen: boolean;
  isLeaving: boolean;
}

/** By their signals. */
export class SignalWaits {
  readonly #parts: SignalWaitsParts;
  /** The body has nothing of these yet. */
  readonly #open = new Map<string, SharedWait>();
  /** How many there were. */
  readonly #counts = new Map<string, number>();

  constructor(parts: SignalWaitsParts) {
    this.#parts = parts;
  }

  /** Joins the one that is open. Which that is follows from what the body has had, so from the journal. */
  wait(signal: string, end: WaitEnd): Promise<unknown> {
    const shared = this.#open.get(signal) ?? this.#begin(signal);
    shared.open += 1;
    return end.timeoutMs === undefined && end.abort === undefined ? shared.come : this.#ending(shared, end);
  }

  #begin(signal: string): SharedWait {
    const count = (this.#counts.get(signal) ?? 0) + 1;
    this.#counts.set(signal, count);
    const step = `${waited}${signal} ${count}`;
    const come = this.#parts.begin(step, { signal });
    const shared: SharedWait = { signal, step, come, open: 0, leaving: 0, ends: 0, timed: new Set() };
    this.#open.set(signal, shared);
    const close = (): void => this.#close(shared);
    come.then(close, close);
    return shared;
  }

  /** The next call waits for the next signal. */
  #close(shared: SharedWait): void {
    if (this.#open.get(shared.signal) === shared) this.#open.delete(shared.signal);
    this.#parts.drop(shared.timed);
  }

  /** A call that may end by itself: what it has is what it has first, or what its entry says that it had. */
  #ending(shared: SharedWait, { timeoutMs, abort }: WaitEnd): Promise<unknown> {
    const { begin, hasEntry, isTold } = this.#parts;
    const { promise, resolve } = Promise.withResolvers<unknown>();
    shared.ends += 1;
    const step = `${ended}${shared.step.slice(1)} ${shared.ends}`;
    const call: OpenCall = { shared, step, isOpen: true, isLeaving: false };
    const hasEnded = hasEntry(step);
    const endBy = (over: Promise<unknown>) => (): void => {
      this.#left(call);
      resolve(over);
    };
    if (hasEnded || timeoutMs !== undefined) {
      shared.timed.add(step);
      const time = timeoutMs === undefined ? {} : { due: { type: "in", ms: timeoutMs } as const };
      const over = begin(step, { of: shared.step, ...time });
      over.then(endBy(over), endBy(over));
    }
    const settled = (): void => {
      if (!call.isLeaving) resolve(shared.come);
    };
    if (!hasEnded) shared.come.then(settled, settled);
    const abandon = (): void => {
      // what has come for it the body has, and an entry that is there already is what it is to have
      if (this.#open.get(shared.signal) !== shared || hasEntry(step) || isTold(shared.step)) return;
      call.isLeaving = true;
      shared.leaving += 1;
      const over = this.#parts.leave(step, () => leftBy(call));
      over.then(undefined, endBy(over));
    };
    if (abort !== undefined) onceAborted(abort, promise, abandon);
    return promise;
  }

  /** That call is over. What nobody waits for any more is given up. */
  #left(call: OpenCall): void {
    const { shared, step } = call;
    if (!call.isOpen) return;
    call.isOpen = false;
    shared.open -= 1;
    if (call.isLeaving) shared.leaving -= 1;
    shared.timed.delete(step);
    this.#parts.drop([step]);
    if (shared.open > shared.leaving) this.#parts.renew([shared.step, ...shared.timed]);
    if (shared.open > 0) return;
    this.#close(shared);
    this.#parts.drop([shared.step]);
  }
}

/** What comes for a wait that nobody has open any more is kept for the next one. */
function leftBy({ shared: { signal, step: wait, open, leaving }, step }: OpenCall): Left {
  const fault = givenUpFault(`wf.wait(${JSON.stringify(signal)})`);
  return { step, fault, ...(open === leaving && { wait: { step: wait, signal } }) };
}

/** Calls `act` when it fires while `promise` is open, at once when it has. */
export function onceAborted(abort: AbortSignal, promise: Promise<unknown>, act: () => void): void {
  const forget = (): void => abort.removeEventListener("abort", act);
  abort.addEventListener("abort", act, { once: true });
  promise.then(forget, forget);
  if (abort.aborted) act();
}
