// Steps of workflows that do something outside of the session, and what takes it back.
import { hash16 } from "@voda/proto/hash16";
import { unknownEffect } from "@voda/proto/wire";
import { type Logger, type RunOp, type RunRequest, VodaError } from "voda/definition";
import { doStep, notKept, retryWords } from "./attempts.ts";
import type { Origin } from "./origin.ts";
import { errorOf, type StepFault } from "./workflow-faults.ts";
import type { Placed } from "./workflow-journal.ts";
import { stepResult } from "./workflow-result.ts";
import { type Entry, own, undone } from "./workflow-rows.ts";
import { OwnTurnLost, type TurnLine } from "./workflow-turns.ts";

/** Of one run of a body. */
export interface OutsideParts {
  readonly id: string;
  /** Of the workflow: keys of its steps follow from it. */
  readonly seed: string;
  readonly line: TurnLine;
  readonly origin: Origin;
  readonly log: Logger;
  readonly after: (ms: number, act: () => void) => () => void;
  /** Logs it, and gives what is kept of it. `what`: of the workflow has failed. */
  readonly faultOf: (error: unknown, what?: string) => StepFault;
  /** Nothing that the run does counts any more. */
  readonly dropped: AbortSignal;
  /** Once it has fired, attempts under way are the last ones. */
  readonly last: AbortSignal;
  /** Makes an entry, and gives its place. */
  readonly append: (entry: Entry) => Promise<number>;
  /** The same of what was done and has no result that is kept. */
  readonly appendFault: (entry: Entry) => Promise<number>;
}

/** A step that was done outside, now or before; `given`: what its undo is called with. */
type DoneOutside = { readonly place: number; readonly given: unknown } & (
  | { readonly type: "kept"; readonly value: unknown }
  | { readonly type: "failed"; readonly error: unknown }
);

/** How attempts go. */
interface Attempted {
  /** Once it has fired, the one under way is the last one. */
  readonly last: AbortSignal;
  /** One of them, before another one. */
  readonly failed?: (error: unknown) => void;
}

/** At least once under one key, and not again once it is known to have been done. */
export class OutsideSteps {
  readonly #parts: OutsideParts;
  /** Those that have no entry yet. */
  #count = 0;

  constructor(parts: OutsideParts) {
    this.#parts = parts;
  }

  /** Once there is room for its entry. Rejects when it is not known to have been done. */
  async once(request: RunRequest, isUndone: boolean): Promise<DoneOutside> {
    const { id, line, last } = this.#parts;
    const isReady = await line.read((book) => book.isReady(id, this.#count));
    if (!isReady) await line.write((book) => book.makeReady(id, this.#count));
    last.throwIfAborted();
    this.#count += 1;
    try {
      return await this.#done(request, isUndone);
    } finally {
      this.#count -= 1;
    }
  }

  /** Beside all that ends the workflow. */
  async takeBack(back: RunRequest): Promise<void> {
    const { id, line, append } = this.#parts;
    const step = undone + back.name;
    await line.read((book) => book.isReady(id, 0));
    await this.#attempt(back, step, { last: neverStopped });
    await append({ step });
  }

  /** An attempt of which nobody knows whether it was done may be what is to be undone. */
  async #done(request: RunRequest, isUndone: boolean): Promise<DoneOutside> {
    const step = own + request.name;
    let isInDoubt = false;
    const failed = (error: unknown): void => void (isInDoubt ||= isDoubtful(error));
    let given: unknown;
    try {
      given = await this.#attempt(request, step, { last: this.#parts.last, failed });
    } catch (error) {
      failed(error);
      if (!isUndone || !isInDoubt) throw error;
      const fault = this.#parts.faultOf(error, `step ${JSON.stringify(request.name)} of `);
      const place = await this.#parts.appendFault({ step, fault, undo: true });
      return { type: "failed", place, given: undefined, error: errorOf(fault) };
    }
    return this.#kept(request, given, isUndone);
  }

  #attempt(request: RunRequest, step: string, { last, failed }: Attempted): Promise<unknown> {
    const { origin, seed, after, dropped, log } = this.#parts;
    return doStep({
      origin,
      request: { ...request, perform: (op) => request.perform(stoppedToo(op, last)) },
      idempotencyKey: request.idempotencyKey ?? hash16(`${seed} ${step}`).toHex(),
      ended: dropped,
      last,
      after,
      onRetry: (error, attempt, delayMs) => {
        failed?.(error);
        log.warn(
          `${step.startsWith(undone) ? "undo of " : ""}${retryWords(request, attempt, delayMs, error)}`,
        );
      },
    });
  }

  /** What was done is in the journal before the body hears of it: with its result, or why without. */
  async #kept(request: RunRequest, given: unknown, isUndone: boolean): Promise<DoneOutside> {
    const step = own + request.name;
    const undo = isUndone ? { undo: true as const } : {};
    try {
      const { result, value } = await stepResult(request, given);
      const place = await this.#append(request, { step, ...(result !== undefined && { result }), ...undo });
      return { type: "kept", place, given: value, value };
    } catch (error) {
      if (error instanceof OwnTurnLost) throw error;
      const fault = this.#parts.faultOf(error, `step ${JSON.stringify(request.name)} of `);
      const place = await this.#parts.appendFault({ step, fault, ...undo });
      return { type: "failed", place, given, error: errorOf(fault) };
    }
  }

  /** What its entry is refused with says that it was done. */
  async #append(request: RunRequest, entry: Entry): Promise<number> {
    try {
      return await this.#parts.append(entry);
    } catch (error) {
      if (error instanceof OwnTurnLost) throw error;
      const what = `the entry of step ${JSON.stringify(request.name)} of `;
      const { message, ...fault } = this.#parts.faultOf(error, what);
      throw errorOf({ ...fault, message: `${notKept(request)}: ${message}` });
    }
  }
}

/** Whoever threw it says that it may have been done: voda of a time that is over, and of answers it lost. */
const isDoubtful = (error: unknown): boolean =>
  VodaError.is(error) && error.details["effect"] === unknownEffect.effect;

/** A failure is of something that was done when its entry says that it is to be undone. */
export const wasDone = (entry: Entry | undefined): boolean =>
  entry?.fault === undefined || entry.undo === true;

/** It was done, or has failed for good, before this run. */
export async function doneBefore(request: RunRequest, { place, entry }: Placed): Promise<DoneOutside> {
  const { result, fault } = entry;
  if (fault !== undefined) return { type: "failed", place, given: undefined, error: errorOf(fault) };
  try {
    const value = await request.check(result);
    return { type: "kept", place, given: value, value };
  } catch (error) {
    // the schema of another revision
    return { type: "failed", place, given: result, error };
  }
}

const neverStopped = new AbortController().signal;

const stoppedToo = ({ idempotencyKey, signal }: RunOp, last: AbortSignal): RunOp => ({
  idempotencyKey,
  signal: AbortSignal.any([signal, last]),
});
