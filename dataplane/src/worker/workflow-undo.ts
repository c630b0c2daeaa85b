// What a workflow did and has to be undone, when it fails or is cancelled (docs/workflows.md).
import type { RunOp, RunRequest } from "voda/definition";
import type { Journal } from "./workflow-journal.ts";
import { type Entry, own, undone } from "./workflow-rows.ts";

/** Takes back what a step did. */
export type Undo = (result: unknown, op: RunOp) => unknown;

/** A step that was done. */
interface Undoable {
  readonly place: number;
  readonly name: string;
  /** Undoes it, and makes the entry that says so. */
  readonly undo: () => Promise<unknown>;
}

/** Nobody calls again for it. */
const undoAttemptsMin = 10;

/** Of one run of a body: steps of earlier runs give their functions when they are come to again. */
export class Undos {
  readonly #entries: readonly Entry[];
  readonly #journal: Journal;
  readonly #done: Undoable[] = [];

  constructor(entries: readonly Entry[], journal: Journal) {
    this.#entries = entries;
    this.#journal = journal;
  }

  add(done: Undoable): void {
    this.#done.push(done);
  }

  get areNone(): boolean {
    return this.#done.length === 0 && this.#lacking().length === 0;
  }

  /**
   * The last step first, but for what was undone before. Returns what could not be. `told`: what was thrown,
   * in words; it may throw it again.
   */
  async undo(told: (thrown: unknown) => string): Promise<string[]> {
    const failures = this.#lacking();
    for (const { name, undo } of this.#done.toSorted((a, b) => b.place - a.place)) {
      if (this.#journal.has(undone + name)) continue;
      try {
        await undo();
      } catch (thrown) {
        failures.push(`step ${JSON.stringify(name)} could not be undone: ${told(thrown)}`);
      }
    }
    return failures;
  }

  /** Steps that this revision cannot undo. */
  #lacking(): string[] {
    const able = new Set(this.#done.map(({ name }) => own + name));
    return this.#entries
      .filter(
        ({ step, undo }) => undo === true && !able.has(step) && !this.#journal.has(undone + step.slice(1)),
      )
      .map(
        ({ step }) => `step ${JSON.stringify(step.slice(1))} was not undone: this revision does not know how`,
      );
  }
}

/** Under a key of its own, whatever the step had. */
export const undoRequest = (request: RunRequest, undo: Undo, result: unknown): RunRequest => ({
  ...request,
  idempotencyKey: undefined,
  attemptsMax: Math.max(request.attemptsMax, undoAttemptsMin),
  perform: (op) => undo(result, op),
  check: () => undefined,
});
