// Rules of PROTOCOL.md that are broken one at a time, in the source: the simulator must find what goes wrong
// without them.
import { type Patch, patchedVariant } from "../patch/patch.ts";
import { type Canary, lane, noFaults } from "./canary.ts";
import type * as sim from "./run.ts";
import { stepCanaries } from "./step-canaries.ts";
import { suspectCanaries } from "./suspect-canaries.ts";

const world = (file: string, find: string, replace: string): Patch => ({
  file: `test/src/sim/${file}.ts`,
  find,
  replace,
});

/** Trails that leave out some records, and count those that are left. */
export const poorTrails = lane(
  "trail",
  "return { count: Math.max(seqs.length, n + 1 - fromN), first, seqs };",
  `const some = seqs.filter((_, i) => (i + n) % 3 > 0);
  return some.length === 0 ? undefined : { count: some.length, first, seqs: some };`,
);

/** The memory that is dropped leaves something behind, and the next one takes it up. */
const undead = (keep: string, raise: string): Patch[] => [
  lane("memory", "  lane.activation = undefined;\n", `  lane.activation = undefined;\n  ${keep}\n`),
  lane("open", "  lane.activation = activation;\n", `  lane.activation = activation;\n  ${raise}\n`),
];

export const canaries: Readonly<Record<string, Canary>> = {
  /** A trim never removes the last record of the lane, so the fence never returns to 0. */
  keepLastRecord: {
    patches: [
      lane(
        "snapshot",
        'if (below !== undefined) out.push({ type: "trim", below });',
        'out.push({ type: "trim", below: seq + 1 });',
      ),
    ],
    finds: /^lost: |^incident data_loss/,
    options: {},
  },
  /** A reply waits until the record with its turn is accepted. */
  answerAfterCommit: {
    patches: [
      lane(
        "pass",
        "return turned(at, activation, event);",
        `turned(at, activation, event);
        const work = activation.turns.jobs.get(event.call);
        for (const { number: call } of work.waiters) {
          lane.calls.delete(call);
          const { n, uid } = activation.tip;
          at.out.push({ type: "reply", call, answer: event.answer, n, uid });
        }
        work.waiters = [];
        return;`,
      ),
    ],
    finds: /^acknowledged effect .* is not in the lane/,
    options: {},
  },
  /** A readonly answer waits until every turn that it has seen is accepted. */
  gateReads: {
    patches: [lane("turns", "output.after <= turns.accepted;", "true;")],
    finds: /^dirty read/,
    options: {},
  },
  /** Nobody claims over a lease that may live. */
  claimNeedsEndedLease: {
    patches: [
      lane("elsewhere", "if (isFree || owner === world.incarnation) return undefined;", "return undefined;"),
    ],
    finds: /^stale read/,
    options: {},
  },
  /** From the moment its release is published, an owner answers no reads. */
  releaseEndsAtSend: {
    patches: [
      lane(
        "calls",
        `if (closed) return;
  const runnable = lane.queue;
  lane.queue = [];`,
        `const runnable = lane.queue.filter((work) => !closed || work.job.readonly);
  lane.queue = lane.queue.filter((work) => closed && !work.job.readonly);`,
      ),
      lane("gate", 'isOurs = tip.claim === "owner"', 'isOurs = tip.claim !== "held"'),
    ],
    finds: /^stale read/,
    options: { faults: { lost: 0.1, slow: 0.2 }, plan: { reads: 8, sleeps: 5 } },
  },
  /**
   * A node whose lease ended returns under a new incarnation, and its sessions claim again before they answer
   * a read.
   */
  claimAfterReturn: {
    patches: [lane("pass", "activation.tip.incarnation !== world.incarnation", "false")],
    finds: /^stale read/,
    options: { faults: { pauses: 5, disconnects: 0, lost: 0, slow: 0 }, plan: { reads: 16, writes: 12 } },
  },
  /**
   * "Not committed" is concluded from a later record in its place, never from a read that does not find it.
   */
  decideByAppend: {
    patches: [
      lane(
        "settle",
        "else retryLater(pass, activation, undecidedMs);",
        'else drop(pass, activation, "fenced", "nothing");',
      ),
    ],
    finds: /^effect \d+ happened twice/,
    options: { faults: { doubled: 0.5, busyRefusals: 0.6, lost: 0, slow: 0 }, plan: { unkeyed: 12 } },
  },
  /** An answer that was computed from a memory is void when that memory is dropped. */
  cutDiesWithMemory: {
    patches: undead(
      "lane.undead = activation.turns.gate; for (const { work } of activation.turns.gate) activation.turns.jobs.delete(work.job.number);",
      `activation.turns.gate = (lane.undead ?? []).map((output) => ({ ...output, after: 0 }));
       lane.undead = [];
       for (const { work } of activation.turns.gate) activation.turns.jobs.set(work.job.number, work);
       if (activation.turns.gate.length > 0) activation.tip.wantsClaim = true;`,
    ),
    finds: /^(stale|dirty) read/,
    options: { faults: { pauses: 6, suspensions: 4, slow: 0.2, lost: 0 }, plan: { reads: 30, writes: 30 } },
  },
  /** Where records lie is a hint: only their chain proves that none is missing. */
  chainProvesTail: {
    patches: [
      poorTrails,
      lane(
        "wake",
        "replay(joined.rows);",
        `replay(joined.rows.map((row, i, rows) => i === 0 ? row : {
          ...row,
          record: { ...row.record, prev: rows[i - 1].record.rid, prevHash: undefined },
        }));`,
      ),
    ],
    finds: /was computed on a state that the lane does not|^stale read/,
    options: { faults: { crashes: 3 }, plan: { writes: 12 } },
  },
  /** Stored answers are in the records and folds, not only in memory. */
  dedupeInState: {
    patches: [
      lane("replay", "if (key !== undefined) storeAnswer(memory.dedupe, key, record, answer.slice());", ";"),
    ],
    finds: /^effect \d+ happened twice/,
    options: {},
  },
  /** The same id joins the call that runs under it. */
  joinSameId: {
    patches: [
      lane(
        "calls",
        "const same = key === undefined ? undefined : lane.running.get(key);",
        "const same = undefined;",
      ),
      lane("share", "if (work.key === undefined) return false;", "return false;"),
    ],
    finds: /^effect \d+ happened twice/,
    options: {},
  },
  /** Turns that ran on refused state are dropped with it. */
  dropPipelineWhenFenced: {
    patches: undead(
      "lane.undead = activation.turns.pending; for (const { work } of activation.turns.pending) activation.turns.jobs.delete(work.job.number);",
      `activation.turns.pending = (lane.undead ?? []).map((turned) => ({ ...turned, turn: 0 }));
       lane.undead = [];
       for (const { work } of activation.turns.pending) activation.turns.jobs.set(work.job.number, work);`,
    ),
    finds: /^effect .* was computed on a state that the lane does not have|^lost: /,
    options: { faults: { pauses: 5, suspensions: 3, lost: 0 }, plan: { writes: 24 } },
  },
  /** The last own record is verified again before the first append or read on a new connection. */
  verifyAfterReconnect: {
    patches: [lane("verification", "verification.verified = false;", "")],
    finds: /^diverged: /,
    options: {
      faults: { ...noFaults, powerLosses: 3 },
      plan: { writes: 16, reads: 0, unkeyed: 0, throwing: 0, sleeps: 0, ends: 0, busyMs: 20_000 },
    },
  },
  /** A trim relies only on a fold that the store cannot lose any more. */
  trimLagsSync: {
    patches: [lane("snapshot", "const { below } = plan;", "const below = record.covers + 1;")],
    finds: /^lost: /,
    options: { faults: { powerLosses: 2 } },
  },
  /** A lane that is behind its mark is not served as an older state. */
  compareMarks: {
    patches: [
      lane("wake", "mark?.isAccepted === false && isBehind(mark, rows)", "false"),
      lane("wake", "mark !== undefined && isBehind(mark, [])", "false"),
    ],
    finds: /^rolled back: /,
    options: { faults: { powerLosses: 2 }, plan: { sleeps: 4 } },
  },
  /**
   * An owner whose last record survived a loss looks whether others had written after it. Rare: it must be
   * away while another takes over and marks, and come back with the store, before that one.
   */
  verifyMark: {
    patches: [
      lane(
        "settle",
        "if (isOurs && mark?.isAccepted === false && isBehind(mark, row === undefined ? [] : [row])) {",
        "if (false) {",
      ),
    ],
    finds: /^rolled back: /,
    options: {
      faults: {
        ...noFaults,
        powerLosses: 4,
        disconnects: 8,
      },
      plan: {
        nodes: 2,
        writes: 14,
        reads: 0,
        unkeyed: 0,
        throwing: 0,
        sleeps: 0,
        ends: 0,
        asks: 0,
        busyMs: 40_000,
        disconnectMsMax: 7000,
        storeSyncMs: 5000,
        folds: { foldRecordsMax: 50, foldBytesMax: 1 << 20, inlineBytesMax: 1 << 16, trimDelayMs: 10_000 },
      },
    },
  },
  /** A purge names a sequence, never "keep n". */
  absolutePurge: {
    patches: [
      world(
        "store",
        "this.#rows = this.#rows.filter((row) => row.seq >= below);",
        "this.#rows = this.#rows.slice(-1);",
      ),
    ],
    finds: /^lost: a waker would see "a lane with a gap/,
    options: {},
  },
  /** Validity is computed from the clock, never a flag that a timer clears. */
  leaseByClock: {
    patches: [
      world(
        "holder",
        "return !this.#isEnded && this.#window.leftMs(this.#options.program.clocks) > 0;",
        "return !this.#isEnded && this.flag === true;",
      ),
      world(
        "holder",
        "    this.#window.renewed(sentAt);\n",
        `    this.#window.renewed(sentAt);
        this.flag = true;
        this.sentAt = sentAt;
        this.#options.program.at(sentAt.monotonicMs + this.#window.leftMs(sentAt), () => {
          if (this.sentAt === sentAt) this.flag = false;
        });\n`,
      ),
    ],
    finds: /^stale read/,
    // the timer stands still with the machine, and lets reads pass for as long as it has left
    options: {
      faults: { suspensions: 8, pauses: 0, crashes: 0, powerLosses: 0, lost: 0, slow: 0 },
      plan: { reads: 24, writes: 16 },
    },
  },
  /** Every start of a program has a new incarnation. */
  newIncarnation: {
    patches: [
      world(
        "holder",
        "this.#incarnation = this.#fresh();\n    this.#knowledge",
        'if (before === "") this.#incarnation = this.#fresh();\n    this.#knowledge',
      ),
      world("holder", 'if (before !== "") {', "if (false) {"),
    ],
    finds: /^stale read/,
    options: { faults: { crashes: 8, slow: 0.2, lost: 0 }, plan: { reads: 16, writes: 12 } },
  },
  /** A node whose lease ended never renews it. */
  newIncarnationAfterExpiry: {
    patches: [
      world("holder", "const next = this.#fresh();", "const next = this.#incarnation;"),
      world("holder", "this.#knowledge.hear(expired(before));\n        this.#renewed", "this.#renewed"),
      world(
        "leases",
        "else if (news.succeeds !== undefined)",
        "else if (news.succeeds === news.incarnation) ended.delete(news.incarnation);\n      else if (news.succeeds !== undefined)",
      ),
    ],
    finds: /^stale read/,
    options: { faults: { pauses: 5, lost: 0, slow: 0 }, plan: { reads: 16, writes: 12 } },
  },
  /** No publish crosses a reconnect. */
  dropBuffersOnReconnect: {
    patches: [
      world(
        "link",
        "if (store.life !== sentTo || !store.isUp) return;",
        `if (!store.isUp) return void clockwork.after(reconnectMs, () => arrive(act, sentTo, from));
    if (store.life !== sentTo)
      return void clockwork.after(random.below(2000), () => arrive(act, store.life, from));`,
      ),
    ],
    finds: /^(diverged|rolled back): /,
    options: { faults: { powerLosses: 3, slow: 0.5, doubled: 0.5, fills: 0, lost: 0 }, plan: { writes: 30 } },
  },
  /** A turn that runs again asks under the same ids: what is asked takes effect once. */
  askAgainUnderSameId: {
    patches: [
      lane(
        "asks",
        "if (id === undefined) out.text(incarnation);",
        "out.varint(number);\n  if (id === undefined) out.text(incarnation);",
      ),
    ],
    finds: /^effect \d+ happened twice/,
    options: { faults: { crashes: 3, slow: 0.2 }, plan: { asks: 5 } },
  },
  /** What was asked and has left is not taken back: a turn without an id does not run again after that. */
  askedOnceWithoutId: {
    patches: [lane("memory", "(isDoubtful || asks.left.has(work))", "isDoubtful")],
    finds: /^effect \d+ happened twice/,
    options: { faults: { pauses: 6, disconnects: 3, powerLosses: 0, slow: 0.3 }, plan: { asks: 24 } },
  },
  /** An ask leaves when everything that its turn has seen is accepted. */
  askFromCommitted: {
    patches: [
      lane(
        "ask-gate",
        "return isOurs && isCertain && after <= turns.accepted;",
        "return isOurs && isCertain;",
      ),
    ],
    finds: /^dirty ask/,
    options: { faults: { powerLosses: 0, slow: 0.2 }, plan: { asks: 5 } },
  },
  /** A letter leaves when its turn is accepted. */
  sendAfterCommit: {
    patches: [
      lane(
        "outbox",
        "  return { overBelow, next: outbox.next, letters, ...(buried.length > 0 && { buried }) };",
        "  for (const letter of letters) addLetter(outbox, letter);\n  return { overBelow, next: outbox.next, letters: [] };",
      ),
    ],
    finds: /^dirty send|^not done|^out of order|^risen/,
    options: { plan: { sends: 6 }, faults: { powerLosses: 0 } },
  },
  /** What was taken of a source is in the folds, not only in memory. */
  seenInFolds: {
    patches: [
      lane(
        "replay",
        "  restoreAnswers(dedupe, record);\n  replaySeen(memory, record.seen);",
        "  restoreAnswers(dedupe, record);",
      ),
    ],
    finds: /^effect \d+ happened twice|was taken, and is given up|is taken after it was given up/,
    options: { plan: { sends: 8, sleeps: 4 }, faults: { powerLosses: 0, crashes: 3 } },
  },
  /** A letter is over when its target has committed it. */
  letterOverAtCommit: {
    patches: [
      lane(
        "pass",
        "return turned(at, activation, event);",
        `turned(at, activation, event);
        const work = activation.turns.jobs.get(event.call);
        for (const { number, id } of work.waiters) {
          if (id?.type !== "sent") continue;
          lane.calls.delete(number);
          const { n, uid } = activation.tip;
          at.out.push({ type: "reply", call: number, answer: event.answer, n, uid });
        }
        work.waiters = work.waiters.filter(({ id }) => id?.type !== "sent");
        return;`,
      ),
    ],
    finds: /^not done|^out of order/,
    options: { plan: { sends: 8 }, faults: { powerLosses: 0, crashes: 3, pauses: 4 } },
  },
  /** A letter that comes back stays before those behind it. */
  lettersInOrder: {
    patches: [
      lane(
        "outbox",
        '  target.stage = "waiting";',
        '  target.stage = "waiting";\n  target.letters.push(target.letters.shift());',
      ),
    ],
    finds: /^(out of order|not done)/,
    options: { plan: { sends: 8 }, faults: { powerLosses: 0, fills: 3 } },
  },
  /** The bell is there before the letter is: a session that sleeps is woken for what it has sent. */
  bellBeforeLetter: {
    patches: [
      lane("delivery", 'return outbox.bell.type === "rung" || !sends;', "return true;"),
      lane("delivery", '  out.push({ type: "ring", token, dueMs });', ""),
    ],
    finds: /^not done/,
    options: { plan: { sends: 8 }, faults: { powerLosses: 0 } },
  },
  /** A letter is given up only where its target has said that it never will be taken. */
  giveUpAtTarget: {
    patches: [
      lane(
        "delivery",
        "    giveUp(target, failure);\n    makeReady(outbox, target);",
        "    bury(pass, activation, target, failure);",
      ),
    ],
    finds: /was taken, and is given up|is taken after it was given up/,
    options: { plan: { sends: 8, sleeps: 4 }, faults: { powerLosses: 0, slow: 0.2, lost: 0.1, crashes: 3 } },
  },
  /** What is given up is said by the next record, whatever is on its way before it. */
  graveInRecords: {
    patches: [lane("outbox", "  if (isKept) outbox.graves.add(firstOf(target).n);\n", "")],
    finds: /^risen: /,
    options: { plan: { sends: 8 }, faults: { powerLosses: 0, slow: 0.2 } },
  },
  /** A lane that may have lost a tail does not give out its numbers again. */
  numbersAboveLoss: {
    patches: [lane("outbox", "if (!outbox.isReplayed) return;", "return;")],
    finds: /^out of order|^not done/,
    options: { plan: { sends: 8 }, faults: { powerLosses: 2 } },
  },
  /** What is not over is in the folds. */
  outboxInFolds: {
    patches: [
      lane(
        "replay",
        'if (record.type === "fold" && record.outbox !== undefined) replayLetters(outbox, record.outbox);',
        "",
      ),
    ],
    finds: /^not done|^effect \d+ happened twice|^out of order/,
    options: { plan: { sends: 8, sleeps: 4 }, faults: { powerLosses: 0, crashes: 2 } },
  },
  ...stepCanaries,
  ...suspectCanaries,
  /** Of a call that came from another node it is known whether it may have begun there. */
  begunTravels: {
    patches: [lane("share", "const mayHaveBegun = work.starts > 0;", "const mayHaveBegun = false;")],
    finds: /began, and its callers were told that it did not begin/,
    options: {
      plan: { writes: 10, sleeps: 4 },
      faults: { powerLosses: 0, suspensions: 3, pauses: 4, lost: 0.15, disconnects: 3 },
    },
  },
  /** A timer goes from the table in the record that has its letter. */
  timerGoesWithLetter: {
    patches: [lane("timers", "    changes.set(id, nextOf(timer, n, nowMs));", "    changes.delete(id);")],
    finds: /fires twice|^effect \d+ happened twice/,
    options: { plan: { timers: 4 }, faults: { powerLosses: 0 } },
  },
  /** That it has gone is known to whoever reads the record. */
  timerStaysGone: {
    patches: [
      lane(
        "replay",
        "  applyTimers(memory.timers, kept(record.timers));",
        '  applyTimers(memory.timers, kept(record.timers).filter(({ type }) => type === "set"));',
      ),
    ],
    finds: /fires twice|fires after it was cancelled/,
    options: { plan: { timers: 6 }, faults: { powerLosses: 0, crashes: 4 } },
  },
  /** Timers are in the folds. */
  timersInFolds: {
    patches: [lane("replay", 'if (record.type === "fold") applyTimers(timers, kept(record.timers));', "")],
    finds: /^not done/,
    options: { plan: { timers: 6, sleeps: 4 }, faults: { powerLosses: 0 } },
  },
  /** What a turn takes back does not fire in the same record. */
  cancelBeforeFire: {
    patches: [lane("timers", "    if (changes.has(timer.id)) continue;", "")],
    finds: /fires after it was cancelled/,
    options: { plan: { timers: 9 }, faults: { powerLosses: 0, slow: 0.2, fills: 3 } },
  },
  /** A timer fires when its time has come, by the store's clock. */
  notBeforeTime: {
    patches: [
      lane("delivery", "firstDueMs(timers, outbox) <= world.storeMs", "true"),
      lane("timers", "dueMs <= nowMs && !outbox", "!outbox"),
    ],
    finds: /fires early/,
    options: { plan: { timers: 4 }, faults: { powerLosses: 0 } },
  },
  /** A session that waits for timers alone has a bell, for when its node dies. */
  bellForTimers: {
    patches: [
      lane(
        "delivery",
        "return isOurs && timers.table.size > 0 ? soonestMs(timers) : undefined;",
        "return undefined;",
      ),
      lane(
        "delivery",
        'return outbox.bell.type === "rung" && outbox.bell.dueMs === soonestMs(timers);',
        "return true;",
      ),
    ],
    finds: /^not done/,
    options: { plan: { timers: 6, sleeps: 4 }, faults: { powerLosses: 0, crashes: 3 } },
  },
  /** The bell of a session that sleeps says when its first timer is due. */
  bellSaysWhen: {
    patches: [
      lane(
        "delivery",
        'out.push({ type: "ring", token, dueMs });',
        'out.push({ type: "ring", token, dueMs: dueMs === 0 ? 0 : dueMs + 120_000 });',
      ),
    ],
    finds: /ms late/,
    options: { plan: { timers: 6, sleeps: 4 }, faults: { powerLosses: 0 } },
  },
  /** Whoever wakes a session by a bell takes that away when the session has one of its own. */
  bellBeforeOrderDone: {
    patches: [lane("control", "if (isWaiting && !isBellFresh(activation)) return;", "")],
    finds: /^not done/,
    options: {
      plan: { timers: 6, sleeps: 6 },
      faults: { powerLosses: 0, crashes: 6, lost: 0.15, slow: 0.2, fills: 3 },
    },
  },
  /** Its own bell is newer than the one that was found: who owned it no more may have rung in between. */
  bellAnewAfterOrder: {
    patches: [lane("control", "if (!orders.isBellFresh) forgetBell(outbox);", "")],
    finds: /^not done|ms late/,
    options: {
      plan: { timers: 6, nodes: 3 },
      faults: { powerLosses: 0, slow: 0.2, lost: 0.15, crashes: 0 },
    },
  },
  /** The last bell stays when a session with timers goes to sleep. */
  bellStaysAsleep: {
    patches: [lane("delivery", "bell.seq : bell.seq - 1", "bell.seq : bell.seq")],
    finds: /^not done/,
    options: { plan: { timers: 6, sleeps: 4 }, faults: { powerLosses: 0 } },
  },
  /** Of the times that were missed one is left. */
  oneForAllMissed: {
    patches: [lane("timers", "const passed = Math.floor((nowMs - dueMs) / everyMs);", "const passed = 0;")],
    finds: /makes up for more than one time/,
    options: { plan: { timers: 9 }, faults: { powerLosses: 0, pauses: 4, crashes: 3 } },
  },
};

/** The simulator, and the product in it, patched; each name is given once. */
export async function patchedRun(name: string, patches: readonly Patch[]): Promise<typeof sim.run> {
  const patched: typeof sim = await import(
    patchedVariant(new URL("./run.ts", import.meta.url), name, patches)
  );
  return patched.run;
}

/** The simulator, and the product in it, without the rule. @throws RangeError when there is no such rule */
export async function withoutRule(rule: string): Promise<typeof sim.run> {
  const canary = canaries[rule];
  if (canary === undefined)
    throw new RangeError(`no rule ${rule}; known are ${Object.keys(canaries).join(", ")}`);
  const run = await patchedRun(rule, canary.patches);
  const { faults = {}, plan } = canary.options;
  const nothing = { asks: 0, sends: 0, timers: 0, runs: 0, closings: 0 };
  return ({ seed }) => run({ seed, faults, plan: { ...nothing, ...plan } });
}
