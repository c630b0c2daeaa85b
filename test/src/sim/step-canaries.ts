// Rules of side effects (docs/effects.md) that are broken one at a time.
import { type Canary, lane } from "./canary.ts";

export const stepCanaries: Readonly<Record<string, Canary>> = {
  /** A handler goes on when the result of its step is in the lane. */
  noteBeforeGoingOn: {
    patches: [
      lane(
        "step-gate",
        "if (bytes <= turnJournalBytesMax) return addPending(journals, entry, number);",
        `if (bytes <= turnJournalBytesMax) {
    addPending(journals, entry, number);
    return answer(pass, activation, number, { type: "result", result });
  }`,
      ),
    ],
    finds: /begins before the result of/,
    options: { plan: { runs: 5 }, faults: { powerLosses: 0 } },
  },
  /** What is noted is found by whoever wakes the session. */
  journalInRecords: {
    patches: [
      lane("replay", "if (record.journal !== undefined) replayJournal(memory.journals, record.journal);", ""),
    ],
    finds: /^lost journal/,
    options: { plan: { runs: 5 }, faults: { powerLosses: 0 } },
  },
  /** And is in the folds, until its turn takes place. */
  journalInFolds: {
    patches: [lane("replay", 'if (record.type === "fold" && record.journal !== undefined)', "if (false)")],
    finds: /^lost journal/,
    options: { plan: { runs: 5, sleeps: 4 }, faults: { powerLosses: 0 } },
  },
  /** A journal ends with the record of its turn. */
  journalEndsWithTurn: {
    patches: [lane("commit", "const ended = endedBy(pass, activation, taken, seals);", "const ended = [];")],
    finds: /outlives its turn/,
    options: { plan: { runs: 5 }, faults: { powerLosses: 0 } },
  },
  /** A step begins from committed state. */
  stepFromCommitted: {
    patches: [lane("step-gate", "one.after <= turns.accepted && ", "")],
    finds: /^dirty step/,
    options: { plan: { runs: 5, writes: 10 }, faults: { powerLosses: 0, slow: 0.2 } },
  },
  /** And under a durable claim: its key names the life of the session. */
  stepUnderClaim: {
    patches: [
      lane(
        "step-gate",
        'if (tip.claim !== "owner" || !verification.verified || !pass.world.leaseValid()) return;',
        "",
      ),
    ],
    finds: /has two keys|is done again|^dirty step/,
    options: { plan: { runs: 5 }, faults: { powerLosses: 0, pauses: 4, crashes: 3 } },
  },
  /** Its key, and its journal, are those of the call's id. */
  stepKeyOfCall: {
    patches: [lane("journals", "  out.raw(uid);\n", "  out.raw(uid);\n  out.varint(job.number);\n")],
    finds: /has two keys|is done again|has two results/,
    options: { plan: { runs: 5 }, faults: { powerLosses: 0, crashes: 3, lost: 0.1 } },
  },
  /** A step whose result is on its way is not begun again. */
  waitForNote: {
    patches: [lane("step-gate", " && !journals.writing.has(stepText(one))", "")],
    finds: /has two results|is done again/,
    options: { plan: { runs: 12 }, faults: { powerLosses: 0, slow: 0.5, crashes: 0 } },
  },
  /** A step that may have been done before is done again for its caller only. */
  stepsOnlyForCallers: {
    patches: [
      lane(
        "step-gate",
        'if (one.work.starts > 1) return { type: "ended", failure: mayBeDone(one.name) };',
        "",
      ),
    ],
    finds: /^step \S+ (begins \d+ times for|of a call without an id is done again)/,
    options: { faults: { pauses: 4, crashes: 3, powerLosses: 0 }, plan: { runs: 20 } },
  },
};
