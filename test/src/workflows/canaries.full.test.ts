// Rules of workflows (docs/workflows.md) that are broken one at a time: what goes wrong then shows.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Patch, patchedVariant } from "../patch/patch.ts";
import type { exploreFate, Fate } from "./scenario.ts";

interface Canary {
  readonly patches: readonly Patch[];
  readonly fate: Fate;
  readonly finds: RegExp;
}

const worker = (file: string, find: string, replace: string): Patch => ({
  file: `dataplane/src/worker/${file}.ts`,
  find,
  replace,
});

const canaries: Readonly<Record<string, Canary>> = {
  /** What a transaction changes and its entry are one turn. */
  entryWithChange: {
    patches: [
      worker(
        "workflow-run",
        "return { result, place: book.append(this.id, entry) };",
        "return { result, place: 0 };",
      ),
    ],
    fate: "done",
    finds: /a while 7/,
  },
  /** A step has one key, whoever does it. */
  keyOfWorkflow: {
    patches: [
      worker("workflow-outside", "hash16(`${seed} ${step}`)", "hash16(`${seed} ${step} ${outsideOfTime()}`)"),
      worker(
        "workflow-outside",
        "const neverStopped =",
        "let times = 0;\nconst outsideOfTime = () => ++times;\nconst neverStopped =",
      ),
    ],
    fate: "done",
    finds: /'one'/,
  },
  /** While a body is wanted, somebody looks. */
  tickWhileRunning: {
    patches: [worker("workflow-table", "if (before === 0 && running > 0)", "if (false)")],
    fate: "done",
    finds: /'running'/,
  },
  /** What waits for a time has a timer. */
  timerForWait: {
    patches: [
      worker("workflow-book", "if (due !== undefined) this.#table.arm", "if (due === null) this.#table.arm"),
    ],
    fate: "done",
    finds: /'waiting'/,
  },
  /** Signals that come early are kept. */
  signalsKept: {
    patches: [
      worker("workflow-book", "row.kept.find((one) => one.signal === signal)", "row.kept.find(() => false)"),
    ],
    fate: "done",
    finds: /'waiting'|'running'/,
  },
  /** Results are handed out in the order in which they came. */
  orderOfJournal: {
    patches: [worker("workflow-journal", "await this.#turnOf(placed.place);", "")],
    fate: "done",
    finds: /never|'failed'/,
  },
  /** Steps that were asked for at once come one at a time: one may have a shorter way to the body. */
  oneAtATime: {
    patches: [
      worker(
        "workflow-journal",
        "if (place <= this.#next && !this.#isGoing) this.#give(place);",
        "if (place <= this.#next) this.#give(place);",
      ),
    ],
    fate: "done",
    finds: /never|'failed'/,
  },
  /** What is undone is not undone again. */
  undoneOnce: {
    patches: [worker("workflow-undo", "if (this.#journal.has(undone + name)) continue;", "")],
    fate: "failed",
    finds: /undone/,
  },
  /** A body that is undone after a restart goes the way that it went. */
  undoneByJournal: {
    patches: [
      worker(
        "workflow-ending",
        "const fresh = freshOf(",
        "if (this.#undoing !== undefined && !this.stopped.aborted) this.#stop(this.#undoing);\n    const fresh = freshOf(",
      ),
    ],
    fate: "failed",
    finds: /undo/,
  },
  /** A workflow in memory hears that it is cancelled. */
  cancelIsHeard: {
    patches: [worker("workflow-book", 'this.happened.push({ type: "undoing", id, undoing });', "")],
    fate: "cancelled",
    finds: /'running'|'waiting'/,
  },
  /** A body that was parked goes on with its next step, whatever it awaited beside steps. */
  parkedGoesOn: {
    patches: [
      worker(
        "workflow-run",
        "this.#waits.goOn();\n    return this.#taking(() => this.#settled",
        "return this.#taking(() => this.#settled",
      ),
    ],
    fate: "odd",
    finds: /running|waiting/,
  },
  /** And somebody looks after it from then on. */
  parkedIsWanted: {
    patches: [
      worker(
        "workflow-outside",
        "if (!isReady) await line.write((book) => book.makeReady(id, this.#count));",
        "",
      ),
    ],
    fate: "odd",
    finds: /waiting/,
  },
  /** A failure for good is in the journal. */
  failuresKept: {
    patches: [worker("workflow-run", "await this.#appendFault({ step, fault }, false);", "")],
    fate: "odd",
    finds: /card B/,
  },
  /** What was done is undone, whether its result is kept or not. */
  doneIsUndone: {
    patches: [worker("workflow-run", "wasDone(known?.entry)", 'done.type === "kept"')],
    fate: "odd",
    finds: /undo unkept/,
  },
  /** What the clock showed is kept with what comes next, be it a wait. */
  clockKept: {
    patches: [worker("workflow-turns", "book.clock(this.#id, this.#times);", "")],
    fate: "odd",
    finds: /one time of the clock/,
  },
  /** What is thrown can be written. */
  wordsCanBeWritten: {
    patches: [worker("workflow-faults", "? text.toWellFormed()", "? text")],
    fate: "odd",
    finds: /running|waiting/,
  },
  /** The last step is undone first. */
  lastFirst: {
    patches: [worker("workflow-undo", "(a, b) => b.place - a.place", "(a, b) => a.place - b.place")],
    fate: "failed",
    finds: /one,two,undo one/,
  },
};

for (const [rule, { patches, fate, finds }] of Object.entries(canaries))
  test(`without the rule ${rule} a workflow goes wrong`, async () => {
    const url = patchedVariant(new URL("./scenario.ts", import.meta.url), rule, patches);
    const broken: { exploreFate: typeof exploreFate } = await import(url);
    await assert.rejects(broken.exploreFate(fate, [1, 2]), (error: Error) => {
      assert.match(error.message, finds);
      return true;
    });
  });
