import assert from "node:assert/strict";
import { test } from "node:test";
import { all, callOf, createRig, one, type Rig, sixteen, typesOf } from "../../test/lane-rig.ts";
import { journalBytesMax, type StepAnswer, turnJournalBytesMax, turnStepsMax } from "../call/index.ts";
import { briefKeepMs } from "./constants.ts";
import type { JournalEntry } from "./record-journal.ts";
import type { LaneEffect } from "./types.ts";

const drawn = { seed: sixteen(5), times: [1_000, 1_001] };
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const meaning = sixteen(9);

/** The handler of call `by` wants to do a step. */
const want = (rig: Rig, by: number, step: number, name: string, canonicalHash = meaning): LaneEffect[] =>
  rig.feed({ type: "step", activation: rig.activation.number, by, step, name, canonicalHash });
const done = (rig: Rig, step: number, result = bytesOf(`"${step}"`)): LaneEffect[] =>
  rig.feed({ type: "step_done", activation: rig.activation.number, step, result, drawn });
const said = (effects: readonly LaneEffect[]): StepAnswer => one(effects, "answerStep").answer;
const refusal = (effects: readonly LaneEffect[]): string => {
  const answer = said(effects);
  return answer.type === "refused" ? answer.failure.reason : answer.type;
};

/** An owner at whose worker call 2 is. */
function running(call = callOf(2)): Rig {
  const rig = createRig().owner();
  rig.invoke(call);
  return rig;
}

/** Step 1, `pay`, is done and in the lane. */
function noted(rig = running()): Rig {
  want(rig, 2, 1, "pay");
  rig.accept(done(rig, 1));
  return rig;
}

test("a step begins at once in an owner, and the handler goes on when its result is in the lane", () => {
  const rig = running();
  const begin = said(want(rig, 2, 1, "pay"));
  assert.equal(begin.type, "begin");
  const append = done(rig, 1);
  assert.deepEqual(typesOf(append), ["append"]);
  const accepted = rig.accept(append);
  assert.deepEqual(typesOf(accepted), ["answerStep"]);
  assert.deepEqual(said(accepted), { type: "result", result: bytesOf('"1"') });
});

test("a step of a session that is not claimed waits for the claim", () => {
  const rig = createRig().held();
  const claim = want(rig, 1, 1, "pay");
  assert.deepEqual(typesOf(claim), ["append"]);
  assert.deepEqual(typesOf(rig.accept(claim)), ["owned", "answerStep"]);
});

test("a step waits until the turns before it are accepted, and for the lease", () => {
  const rig = createRig().owner();
  rig.invoke(callOf(2));
  rig.invoke(callOf(3));
  const append = rig.turned(2);
  assert.deepEqual(typesOf(want(rig, 3, 1, "pay")), []);
  rig.world.valid = false;
  assert.deepEqual(typesOf(rig.accept(append)), ["reply"]);
  rig.world.valid = true;
  assert.deepEqual(typesOf(rig.feed({ type: "leases" })), ["answerStep"]);
});

test("a call that comes again under its id finds its steps, their key and what it drew", () => {
  const rig = running();
  const first = said(want(rig, 2, 1, "ship"));
  want(rig, 2, 2, "pay");
  rig.accept(done(rig, 2));
  rig.failed(2);
  const run = rig.invoke(callOf(3, { id: callOf(2).id }));
  assert.deepEqual(typesOf(run), ["recall", "run"]);
  assert.deepEqual(one(run, "recall").recalled, { seed: drawn.seed, times: [drawn.times] });
  assert.deepEqual(said(want(rig, 3, 3, "pay")), { type: "result", result: bytesOf('"2"') });
  assert.deepEqual(said(want(rig, 3, 4, "ship")), first, "the key of what is done again");
  const other = running(callOf(2, { id: callOf(7).id }));
  assert.notDeepEqual(said(want(other, 2, 1, "ship")), first, "another call has another key");
});

test("a step whose result is on its way is answered with it, however the turn before ended", () => {
  const rig = running();
  want(rig, 2, 1, "pay");
  const append = done(rig, 1);
  rig.failed(2);
  rig.invoke(callOf(3, { id: callOf(2).id }));
  assert.deepEqual(typesOf(want(rig, 3, 2, "pay")), []);
  const answers = all(rig.accept(append), "answerStep").filter(({ step }) => step === 2);
  assert.deepEqual(
    answers.map(({ answer }) => answer),
    [{ type: "result", result: bytesOf('"1"') }],
  );
});

test("what a turn that has ended did is not noted", () => {
  const rig = running();
  want(rig, 2, 1, "pay");
  rig.failed(2);
  assert.deepEqual(typesOf(done(rig, 1)), []);
});

test("a journal ends with the record of its turn", () => {
  const rig = noted();
  const { record } = recordOfAppend(rig, rig.turned(2));
  assert.equal(record.journal?.ended.length, 1);
  assert.equal(rig.activation.journals.turns.size, 0);
  assert.equal(rig.activation.journals.bytes, 0);
});

/** Accepts the append, and says what it held. */
function recordOfAppend(rig: Rig, effects: readonly LaneEffect[]) {
  const record = rig.activation.append.flight?.record;
  assert.ok(record?.type === "turns");
  return { record, effects: rig.accept(effects) };
}

const numbered = { type: "numbered", client: sixteen(3), seq: 1, lowest: 1, rawHash: sixteen(1) } as const;
for (const [id, keepMs] of [
  [callOf(2).id, 600_000],
  [numbered, briefKeepMs],
] as const)
  test(`a journal lives as long as its call may come again: ${id?.type}`, () => {
    const rig = noted(running(callOf(2, { id })));
    rig.failed(2);
    const [journal] = rig.activation.journals.turns.values();
    assert.equal(journal?.expiresAtMs, 1_000 + keepMs);
    rig.world.storeMs += keepMs;
    const run = rig.invoke(callOf(3, { id, deadlineMs: 1e9 }));
    assert.deepEqual(typesOf(run), ["run"]);
    assert.equal(rig.activation.journals.bytes, 0);
  });

test("a journal is of its call, and of no other under the same id", () => {
  const rig = noted();
  rig.failed(2);
  rig.invoke(callOf(3, { id: callOf(2).id }));
  assert.equal(refusal(want(rig, 3, 2, "pay", sixteen(8))), "idempotency_key_reused");
});

test("what a turn drew is known to the one that runs again, also while it is on its way", () => {
  const rig = running();
  want(rig, 2, 1, "pay");
  done(rig, 1);
  rig.failed(2);
  const run = rig.invoke(callOf(3, { id: callOf(2).id }));
  assert.deepEqual(one(run, "recall").recalled, { seed: drawn.seed, times: [drawn.times] });
  rig.invoke(callOf(4));
  rig.failed(3);
  const other = rig.invoke(callOf(5));
  assert.deepEqual(typesOf(other), ["run"], "it is nobody else's");
});

test("steps of a call without an id are not noted", () => {
  const rig = running(callOf(2, { id: undefined }));
  want(rig, 2, 1, "pay");
  assert.deepEqual(said(done(rig, 1)), { type: "result", result: bytesOf('"1"') });
});

test("a step is not begun by a call that may have begun before, and ends its turn; what is noted is found", () => {
  for (const id of [callOf(2).id, undefined]) {
    const rig = running(callOf(2, { id, mayHaveBegun: true }));
    const answer = said(want(rig, 2, 1, "pay"));
    assert.ok(answer.type === "ended");
    assert.equal(answer.failure.reason, "store_away");
  }
  const rig = noted();
  rig.failed(2);
  rig.invoke(callOf(3, { id: callOf(2).id, mayHaveBegun: true }));
  assert.deepEqual(said(want(rig, 3, 2, "pay")).type, "result");
  assert.deepEqual(said(want(rig, 3, 3, "ship")).type, "ended");
});

test("a thread that ends under a step ends the call, with an id or without", () => {
  for (const id of [callOf(2).id, undefined]) {
    const rig = running(callOf(2, { id }));
    want(rig, 2, 1, "pay");
    const { number } = rig.activation;
    const lost = rig.feed({ type: "worker_lost", activation: number, begun: new Set([2]) });
    assert.equal(one(lost, "fail").failure.reason, "worker_lost");
  }
});

test("bounds: steps of a turn, bytes of its journal, bytes of all journals", () => {
  const rig = running();
  want(rig, 2, 1, "large");
  assert.equal(refusal(done(rig, 1, new Uint8Array(turnJournalBytesMax))), "too_large");
  const { journals } = rig.activation;
  want(rig, 2, 2, "pay");
  rig.accept(done(rig, 2));
  const [journal] = journals.turns.values();
  const entry = journal?.entries.get("pay") as JournalEntry;
  for (let i = 1; i < turnStepsMax; i += 1) journal?.entries.set(String(i), entry);
  assert.equal(refusal(want(rig, 2, 3, "one more")), "too_large");
  assert.equal(refusal(want(rig, 2, 4, "pay")), "result", "what is noted is found");
  journals.bytes = journalBytesMax - turnJournalBytesMax + 1;
  rig.failed(2);
  rig.invoke(callOf(3));
  assert.equal(refusal(want(rig, 3, 5, "pay")), "journal_full");
});

test("steps of a turn count from their beginning, whether they are done at once or in a row", () => {
  const rig = running();
  for (let i = 1; i <= turnStepsMax; i += 1)
    assert.equal(said(want(rig, 2, i, `step ${i}`)).type, "begin", `step ${i}`);
  assert.equal(refusal(want(rig, 2, 1_000, "one more")), "too_large", "none has ended");
  const append = done(rig, 1);
  for (let i = 2; i <= turnStepsMax; i += 1) done(rig, i);
  assert.equal(
    refusal(want(rig, 2, 1_001, "one more")),
    "too_large",
    "they are on their way, or wait for it",
  );
  rig.accept(append);
  assert.equal(refusal(want(rig, 2, 1_002, "one more")), "too_large", "they are noted");
});

test("bytes of a journal count from the end of the step, also while its record is on its way", () => {
  const rig = running();
  const half = new Uint8Array(turnJournalBytesMax / 2);
  for (const step of [1, 2, 3]) want(rig, 2, step, `step ${step}`);
  assert.deepEqual(typesOf(done(rig, 1, half)), ["append"]);
  assert.equal(refusal(done(rig, 2, half)), "too_large");
  assert.deepEqual(typesOf(done(rig, 3, half.subarray(1_000))), []);
});

test("what is not in the lane yet counts against the bytes of all journals", () => {
  const rig = running();
  const large = new Uint8Array(turnJournalBytesMax - 1_000);
  want(rig, 2, 1, "pay");
  const append = done(rig, 1, large);
  rig.failed(2);
  rig.invoke(callOf(3));
  assert.equal(said(want(rig, 3, 2, "pay")).type, "begin");
  done(rig, 2, large);
  rig.failed(3);
  rig.invoke(callOf(4));
  assert.equal(refusal(want(rig, 4, 3, "pay")), "journal_full");
  const next = rig.accept(append);
  assert.deepEqual(typesOf(next), ["answerStep", "append"]);
  rig.accept(next);
  assert.ok(rig.activation.journals.bytes <= journalBytesMax);
});

test("what a turn drew before a step that is too large is in the entry of the next one", () => {
  const rig = running();
  const drew = (step: number, time: number, bytes: number): LaneEffect[] =>
    rig.feed({
      type: "step_done",
      activation: rig.activation.number,
      step,
      result: new Uint8Array(bytes),
      drawn: { seed: drawn.seed, times: [time] },
    });
  for (const step of [1, 2, 3]) want(rig, 2, step, `step ${step}`);
  rig.accept(drew(1, 1_000, 1));
  assert.equal(refusal(drew(2, 2_000, turnJournalBytesMax)), "too_large");
  rig.accept(drew(3, 3_000, 1));
  rig.failed(2);
  const run = rig.invoke(callOf(3, { id: callOf(2).id }));
  assert.deepEqual(one(run, "recall").recalled.times, [[1_000], [2_000, 3_000]]);
});
