// What a workflow did and has to be undone, when it fails or is cancelled (docs/workflows.md).
import type { RunRequest, UndoFunction } from "voda/definition";
import { cannotUndo, notUndone } from "./workflow-faults.ts";
import type { Journal } from "./workflow-journal.ts";
import { type Entry, own, undone } from "./workflow-rows.ts";

/** A step that was done. */
interface Undoable {
  readonly place: number;
  readonly name: string;
  /** Undoes it, and makes the entry that says so. */
  readonly undo: () => Promise<unknown>;
}

/** Where the step does not say how often: nobody calls again for it. */
const undoAttemptsMax = 10;

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
    return this.#done.length === 0 && leftToUndo(this.#entries).length === 0;
  }

  /**
   * The last step first, but for what was undone before, or could not be: each is tried once, whatever dies
   * meanwhile. Returns what could not be. `failed`: makes the entry that says so, and gives the words.
   */
  async undo(failed: (step: string, thrown: unknown) => Promise<string>): Promise<string[]> {
    const failures = [...failedBefore(this.#entries), ...this.#lacking()];
    for (const { name, undo } of this.#done.toSorted((a, b) => b.place - a.place)) {
      if (this.#journal.has(undone + name)) continue;
      try {
        await undo();
      } catch (thrown) {
        failures.push(await failed(name, thrown));
      }
    }
    return failures;
  }

  /** Steps that this revision cannot undo. */
  #lacking(): string[] {
    const able = new Set(this.#done.map(({ name }) => own + name));
    return leftToUndo(this.#entries)
      .filter(({ step }) => !able.has(step))
      .map(({ step }) => cannotUndo(step.slice(1)));
  }
}

/** Steps of a journal that were done and neither undone nor tried to. */
export function leftToUndo(entries: readonly Entry[]): readonly Entry[] {
  const steps = new Set(entries.map(({ step }) => step));
  return entries.filter(({ step, undo }) => undo === true && !steps.has(undone + step.slice(1)));
}

/** What could not be undone, as the journal has it. */
export const failedBefore = (entries: readonly Entry[]): string[] =>
  entries.flatMap(({ step, fault }) =>
    step.startsWith(undone) && fault !== undefined ? [notUndone(step.slice(1), fault.message)] : [],
  );

/** Under a key of its own, whatever the step had. What it gives is not looked at: nobody asks for it. */
export const undoRequest = (request: RunRequest, undo: UndoFunction, result: unknown): RunRequest => ({
  ...request,
  idempotencyKey: undefined,
  attemptsMax: request.attemptsChosen ?? undoAttemptsMax,
  perform: async (op) => {
    await undo(result, op);
  },
});
