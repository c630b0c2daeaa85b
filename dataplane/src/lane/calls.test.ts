import assert from "node:assert/strict";
import { test } from "node:test";
import { callNumbersMax } from "@voda/proto/wire";
import {
  all,
  callOf,
  createRig,
  keyOf,
  me,
  one,
  other,
  type Rig,
  readOf,
  recordOf,
  sixteen,
  stored,
  typesOf,
} from "../../test/lane-rig.ts";
import { ThreadFault } from "../call/index.ts";
import { leaseTtlMs } from "../membership/index.ts";
import {
  hopsMax,
  idsMax,
  pipelineBytesMax,
  pipelineTurnsMax,
  settleMaxMs,
  storedBytesMax,
  transitMs,
} from "./constants.ts";
import type { LaneEffect } from "./types.ts";

const reasons = (effects: readonly LaneEffect[]): [number, string][] =>
  all(effects, "fail").map(({ call, failure }) => [call, failure.reason]);

test("a stored answer leaves at once, whoever asks again", () => {
  const rig = createRig().owner();
  const reply = one(rig.invoke(callOf(2, { id: callOf(1).id })), "reply");
  assert.deepEqual([reply.call, reply.answer, reply.n], [2, sixteen(1), 1]);
});

test("a stored answer outlives the memory: it is in the records and in the fold", () => {
  const rig = createRig().owner();
  rig.feed({ type: "sleep" });
  const release = rig.cut();
  rig.accept(release);
  const fold = { seq: 2, atMs: 0, bytes: one(release, "append").bytes };
  const effects = rig.last(rig.invoke(callOf(2, { id: callOf(1).id })), fold);
  assert.deepEqual(typesOf(effects), ["open", "reply"]);
  const late = createRig();
  late.world.storeMs += 600_000;
  assert.deepEqual(typesOf(late.last(late.invoke(callOf(2, { id: callOf(1).id })), fold)), ["open", "run"]);
});

const hurried = (number: number, more = {}) => callOf(number, { onBusy: "reject", ...more });

test("a call that does not wait is refused while a turn runs, and runs as soon as none does", () => {
  const rig = createRig().owner();
  assert.deepEqual(typesOf(rig.invoke(hurried(2))), ["run"]);
  const [refusal] = all(rig.invoke(hurried(3)), "fail");
  assert.deepEqual(
    [refusal?.call, refusal?.failure.code, refusal?.failure.reason, refusal?.failure.retryAfterMs],
    [3, "aborted", "busy", 100],
  );
  assert.deepEqual(typesOf(rig.invoke(callOf(4))), ["run"]);
  rig.turned(2); // its record is not accepted, and no turn runs but the one that waited
  assert.deepEqual(reasons(rig.invoke(hurried(5))), [[5, "busy"]]);
  rig.turned(4);
  assert.deepEqual(typesOf(rig.invoke(hurried(6))), ["run"]);
});

test("readers keep no session busy, and a call that is sent again joins itself or gets its answer", () => {
  const rig = createRig().owner();
  rig.invoke(readOf(2));
  assert.deepEqual(typesOf(rig.invoke(hurried(3))), ["run"]);
  assert.deepEqual(typesOf(rig.invoke(hurried(4, { id: callOf(3).id }))), []);
  assert.equal(one(rig.invoke(hurried(5, { id: callOf(1).id })), "reply").call, 5);
  const replies = all(rig.accept(rig.turned(3)), "reply");
  assert.deepEqual(
    replies.map(({ call }) => call),
    [3, 4],
  );
});

test("of calls that wait for a wake and do not wait for turns, the first runs", () => {
  const rig = createRig();
  const wake = rig.invoke(hurried(1));
  rig.invoke(hurried(2));
  const effects = rig.empty(wake);
  assert.deepEqual([one(effects, "run").call, reasons(effects)], [1, [[2, "busy"]]]);
});

const differently = (call: number, id: number) => callOf(call, { id: keyOf(id, { rawHash: sixteen(9) }) });
const identified = (rig: Rig, effects: readonly LaneEffect[], meaning: number | undefined): LaneEffect[] =>
  rig.feed({
    type: "identified",
    activation: rig.activation.number,
    call: one(effects, "identify").call,
    canonicalHash: meaning === undefined ? undefined : sixteen(meaning),
  });

test("the same call written otherwise gets the stored answer, another one under its id is refused", () => {
  const rig = createRig().owner();
  const reply = one(identified(rig, rig.invoke(differently(3, 1)), 101), "reply");
  assert.deepEqual([reply.call, reply.answer, reply.n], [3, sixteen(1), 1]);
  assert.deepEqual(reasons(identified(rig, rig.invoke(differently(4, 1)), 102)), [
    [4, "idempotency_key_reused"],
  ]);
  assert.deepEqual(reasons(identified(rig, rig.invoke(differently(5, 1)), undefined)), [
    [5, "idempotency_key_reused"],
  ]);
});

test("the same call written otherwise waits while the first runs, and runs itself if that left nothing", () => {
  const rig = createRig().owner();
  rig.invoke(callOf(2));
  assert.deepEqual(typesOf(rig.invoke(differently(3, 2))), []);
  const accepted = rig.accept(rig.turned(2));
  assert.deepEqual(typesOf(accepted), ["reply", "identify"]);
  assert.equal(one(identified(rig, accepted, 102), "reply").call, 3);
  rig.invoke(callOf(4));
  rig.invoke(differently(5, 4));
  assert.deepEqual(typesOf(rig.failed(4)), ["run", "reply"]);
});

test("what the worker says of a call that nobody waits for any more is nothing", () => {
  const rig = createRig().owner();
  rig.invoke(callOf(2, { id: keyOf(1, { rawHash: sixteen(2) }) }));
  rig.feed({ type: "abandon", call: 2, why: "caller" });
  const { number: activation } = rig.activation;
  rig.feed({ type: "identified", activation, call: 2, canonicalHash: sixteen(101) });
  assert.deepEqual(
    typesOf(rig.feed({ type: "identified", activation, call: 2, canonicalHash: undefined })),
    [],
  );
});

test("a session is not put to sleep while the worker says what a call means", () => {
  const rig = createRig().owner();
  const asked = rig.invoke(differently(2, 1));
  assert.deepEqual(typesOf(rig.feed({ type: "sleep" })), []);
  assert.deepEqual(typesOf(identified(rig, asked, 101)), ["reply", "cut"]);
});

const numberedOf = (call: number, seq: number, lowest = 1) =>
  callOf(call, {
    id: { type: "numbered", client: sixteen(50), seq, lowest, rawHash: sixteen(1) },
  });

test("a numbered call that comes again is answered, until its client has said that it got the answer", () => {
  const rig = createRig().held();
  rig.accept(rig.turned(1));
  rig.invoke(numberedOf(2, 1));
  rig.accept(rig.turned(2));
  assert.equal(one(rig.invoke(numberedOf(3, 1)), "reply").n, 2);
  rig.invoke(numberedOf(4, 2, 2));
  rig.accept(rig.turned(4));
  assert.deepEqual(reasons(rig.invoke(numberedOf(5, 1))), [[5, "answer_not_kept"]]);
  assert.equal(one(rig.invoke(numberedOf(6, 2)), "reply").n, 3);
  assert.deepEqual(reasons(rig.invoke(numberedOf(7, 2 + callNumbersMax, 2))), [[7, "quota"]]);
});

test("an answer is kept longer than its call may be on its way, however short its key's time is", () => {
  const rig = createRig().owner();
  rig.invoke(callOf(2, { id: keyOf(2, { keepMs: 1000 }), deadlineMs: rig.world.monotonicMs + 20_000 }));
  rig.accept(rig.turned(2));
  rig.world.storeMs += 20_000 + transitMs - 1;
  assert.deepEqual(typesOf(rig.invoke(callOf(3, { id: keyOf(2) }))), ["reply"]);
  rig.world.storeMs += 1;
  assert.deepEqual(typesOf(rig.invoke(callOf(4, { id: keyOf(2) }))), ["run"]);
});

test("a node's lease cannot outlive what is kept for copies that it has passed on", () => {
  assert.ok(transitMs >= hopsMax * leaseTtlMs, `${transitMs} ms for ${hopsMax} hops of ${leaseTtlMs} ms`);
});

test("the same id joins the call that runs, and both are answered", () => {
  const rig = createRig().owner();
  rig.invoke(callOf(2));
  assert.deepEqual(typesOf(rig.invoke(callOf(3, { id: callOf(2).id }))), []);
  assert.deepEqual(
    all(rig.accept(rig.turned(2)), "reply").map((reply) => reply.call),
    [2, 3],
  );
});

test("callers of one id that wait for a wake share one run, also its error", () => {
  const rig = createRig();
  const reading = rig.invoke(callOf(1));
  rig.invoke(callOf(2, { id: callOf(1).id }));
  assert.deepEqual(typesOf(rig.empty(reading)), ["open", "run"]);
  assert.deepEqual(
    all(rig.accept(rig.failed(1)), "reply").map(({ call }) => call),
    [1, 2],
  );
});

test("a call that comes while the session goes to sleep runs when it is woken again", () => {
  const rig = createRig().owner();
  assert.deepEqual(typesOf(rig.feed({ type: "sleep" })), ["cut"]);
  assert.deepEqual(typesOf(rig.invoke(callOf(2))), []);
  const slept = rig.accept(rig.cut());
  assert.deepEqual(typesOf(slept), ["trimAsleep", "close", "cold", "readLast"]);
});

test("readonly calls do not share answers", () => {
  const rig = createRig().owner();
  rig.invoke(readOf(2));
  assert.deepEqual(typesOf(rig.invoke(readOf(3, { id: readOf(2).id }))), ["run"]);
});

test("a call under the id of a failed turn whose error still waits runs for itself", () => {
  const rig = createRig().owner();
  rig.world.valid = false;
  rig.invoke(callOf(2));
  assert.deepEqual(typesOf(rig.failed(2)), []);
  assert.deepEqual(typesOf(rig.invoke(callOf(3, { id: callOf(2).id }))), ["run"]);
});

test("when its worker is lost, a failed turn whose error was not told does not keep a later call from running", () => {
  const rig = createRig().owner();
  rig.world.valid = false;
  rig.invoke(callOf(2));
  rig.failed(2);
  rig.invoke(callOf(3, { id: callOf(2).id }));
  const own = stored(1, recordOf(me, 1));
  const effects = rig.feed({
    type: "worker_lost",
    activation: rig.activation.number,
    begun: new Set(),
  });
  assert.equal(one(effects, "fail").call, 2);
  assert.equal(one(rig.range(rig.last(effects, own), own), "run").call, 3);
});

test("when memory is lost, a failed turn whose error was not told joins the call that came later under its id", () => {
  const rig = createRig().owner();
  const own = rig.tip();
  rig.invoke(callOf(2));
  rig.invoke(callOf(3));
  rig.turned(2);
  assert.deepEqual(typesOf(rig.failed(3)), []);
  rig.invoke(callOf(4, { id: callOf(3).id }));
  const loaded = rig.range(rig.last(rig.wait(settleMaxMs), own), own);
  assert.deepEqual(
    all(loaded, "run").map((run) => run.call),
    [2, 4],
  );
  const claim = rig.failed(4, 0);
  assert.deepEqual(typesOf(claim), ["append"], "who joined does not run once more");
  assert.deepEqual(
    all(rig.accept(claim), "reply").map((reply) => reply.call),
    [4, 3],
  );
});

test("answers beyond the bound are dropped, and the retry learns that the call was done", () => {
  const rig = createRig().owner();
  const commit = (call: number): void => {
    rig.invoke(callOf(call));
    const { number, turns } = rig.activation;
    const answer = new Uint8Array(storedBytesMax - 500);
    rig.accept(
      rig.feed({
        type: "turned",
        activation: number,
        call,
        turn: turns.executed + 1,
        delta: sixteen(0),
        answer,
        canonicalHash: undefined,
        sends: [],
      }),
    );
  };
  commit(2);
  commit(3);
  assert.deepEqual(reasons(rig.invoke(callOf(4, { id: callOf(2).id }))), [[4, "answer_not_kept"]]);
  assert.deepEqual(typesOf(rig.invoke(callOf(5, { id: callOf(3).id }))), ["reply"]);
});

test("a session that remembers idsMax explicit keys refuses new ones and says when; brief ids give way", () => {
  const rig = createRig().held();
  const { kept, brief } = rig.activation.dedupe;
  const hashes = { rawHash: sixteen(1), canonicalHash: undefined };
  const entry = { ...hashes, n: 1, expiresAtMs: 1e9, answer: undefined };
  for (let i = 0; i < idsMax - 1; i += 1) kept.set(`kept ${i}`, { ...entry, id: sixteen(0), brief: false });
  const { failure } = one(rig.invoke(callOf(2)), "fail");
  assert.equal(failure.reason, "quota");
  assert.ok((failure.retryAfterMs ?? 0) > 0);
  assert.deepEqual(typesOf(rig.invoke(callOf(3, { id: keyOf(3, { keepMs: 30_000 }) }))), ["run"]);
  rig.accept(rig.turned(1));
  rig.accept(rig.turned(3));
  assert.equal(kept.size + brief.size, idsMax);
  assert.equal(brief.size, 0);
});

test("calls beyond pipelineTurnsMax are refused, and taken again when others are answered", () => {
  const rig = createRig().held();
  for (let call = 2; call <= pipelineTurnsMax; call += 1) rig.invoke(callOf(call, { id: undefined }));
  const effects = rig.invoke(callOf(5000));
  assert.deepEqual(reasons(effects), [[5000, "queue_full"]]);
  assert.match(one(effects, "fail").failure.message, /1024 calls wait, pipelineTurnsMax is 1024/);
  rig.accept(rig.turned(1));
  assert.deepEqual(typesOf(rig.invoke(callOf(5001))), ["run"]);
});

test("calls beyond pipelineBytesMax are refused", () => {
  const rig = createRig().held(); // one of 10 bytes
  assert.deepEqual(typesOf(rig.invoke(callOf(2, { bytes: pipelineBytesMax - 10 }))), ["run"]);
  const effects = rig.invoke(callOf(3, { bytes: 1 }));
  assert.match(
    one(effects, "fail").failure.message,
    /4194305 bytes of calls wait, pipelineBytesMax is 4194304/,
  );
});

test("a deadline that passes while the session wakes: the call never runs", () => {
  const rig = createRig();
  const reading = rig.invoke(callOf(1));
  assert.deepEqual(reasons(rig.feed({ type: "abandon", call: 1, why: "deadline" })), [[1, "turn_timeout"]]);
  assert.deepEqual(typesOf(rig.last(reading)), []);
});

test("a deadline that passes in flight: the caller hears it, the record commits, the retry gets the answer", () => {
  const rig = createRig().owner();
  rig.invoke(callOf(2));
  const flight = rig.turned(2);
  assert.deepEqual(reasons(rig.feed({ type: "abandon", call: 2, why: "deadline" })), [[2, "turn_timeout"]]);
  assert.deepEqual(typesOf(rig.accept(flight)), []);
  assert.deepEqual(typesOf(rig.invoke(callOf(3, { id: callOf(2).id }))), ["reply"]);
});

test("whether a call that is late had begun is told", () => {
  const said = (effects: readonly LaneEffect[]): string => one(effects, "fail").failure.message;
  const late = (call: number) => ({ type: "abandon", call, why: "deadline" }) as const;
  const notBegun = /it did not begin, and nothing was done/;
  const waking = createRig();
  waking.invoke(callOf(1));
  assert.match(said(waking.feed(late(1))), notBegun);

  const rig = createRig().owner();
  const activation = rig.activation.number;
  const dropped = (call: number, hasBegun: boolean) =>
    rig.feed({ type: "dropped", activation, call, why: "deadline", hasBegun });
  rig.invoke(callOf(2));
  rig.invoke(callOf(3));
  assert.deepEqual(typesOf(rig.feed(late(3))), ["cancel"], "the worker knows better");
  assert.match(said(dropped(3, false)), notBegun);
  rig.feed({ type: "abandon", call: 2, why: "caller" });
  assert.match(said(dropped(2, true)), /undone; what its handler did elsewhere is not/);

  rig.invoke(callOf(4));
  rig.feed({ type: "worker_lost", activation, begun: new Set() });
  assert.match(said(rig.feed(late(4))), notBegun, "not in the thread that ended either");
});

test("of a call that waits again after its memory was void nobody says that it did not begin", () => {
  const rig = createRig().owner();
  rig.invoke(callOf(2));
  rig.feed({ type: "connection", up: false });
  const up = rig.feed({ type: "connection", up: true });
  const [own, fence] = [rig.tip(), rig.fence()];
  rig.range(rig.last(up, fence), own, fence);
  assert.match(
    one(rig.feed({ type: "abandon", call: 2, why: "deadline" }), "fail").failure.message,
    /whether the call took effect is unknown/,
  );
});

test("a deadline that passes at the worker cancels the job there, unless somebody else waits for it", () => {
  const rig = createRig().owner();
  rig.invoke(callOf(2));
  assert.deepEqual(typesOf(rig.feed({ type: "abandon", call: 2, why: "deadline" })), ["fail", "cancel"]);
  rig.invoke(callOf(3));
  rig.invoke(callOf(4, { id: callOf(3).id }));
  assert.deepEqual(typesOf(rig.feed({ type: "abandon", call: 3, why: "deadline" })), ["fail"]);
  assert.deepEqual(one(rig.accept(rig.turned(3)), "reply").call, 4);
});

test("a caller that goes away is told `interrupted` only when the turn did not run", () => {
  const rig = createRig().owner();
  rig.invoke(callOf(2));
  assert.deepEqual(typesOf(rig.feed({ type: "abandon", call: 2, why: "caller" })), ["cancel"]);
  assert.deepEqual(typesOf(rig.accept(rig.turned(2))), ["reply"]);
  rig.invoke(callOf(3));
  rig.feed({ type: "abandon", call: 3, why: "caller" });
  const { number } = rig.activation;
  assert.deepEqual(
    reasons(rig.feed({ type: "dropped", activation: number, call: 3, why: "caller", hasBegun: true })),
    [[3, "interrupted"]],
  );
});

test("a job that was cancelled runs again for who joined it meanwhile", () => {
  const rig = createRig().owner();
  rig.invoke(callOf(2));
  rig.feed({ type: "abandon", call: 2, why: "caller" });
  rig.invoke(callOf(3, { id: callOf(2).id }));
  const { number } = rig.activation;
  const effects = rig.feed({ type: "dropped", activation: number, call: 2, why: "caller", hasBegun: true });
  assert.deepEqual(reasons(effects), [[2, "interrupted"]]);
  assert.equal(one(effects, "run").call, 3);
});

test("a call that two nodes have passed on is not passed on again", () => {
  const rig = createRig();
  const owned = stored(1, recordOf(other, 1));
  const effects = rig.last(rig.invoke(callOf(1, { hops: 2 })), owned);
  assert.deepEqual(reasons(effects), [[1, "not_owner"]]);
  assert.deepEqual(typesOf(rig.last(rig.invoke(callOf(2, { hops: 1 })), owned)), ["forward", "cold"]);
  const order = { type: "control", call: callOf(3, { type: "wake", hops: 2 }) } as const;
  assert.deepEqual(reasons(rig.last(rig.feed(order), owned)), [[3, "not_owner"]]);
});

test("an owner that does not answer is asked again, until its lease has ended: then the session is claimed", () => {
  const rig = createRig();
  const owned = stored(1, recordOf(other, 1));
  rig.last(rig.invoke(callOf(1)), owned);
  const undelivered = { type: "undelivered", call: callOf(1), incarnation: other } as const;
  assert.deepEqual(typesOf(rig.feed(undelivered)), []);
  const again = rig.wait(100, "wake");
  assert.equal(one(again, "readLast").leader, false, "no follower has misled it");
  assert.deepEqual(typesOf(rig.last(again, owned)), ["forward", "cold"]);
  rig.feed(undelivered);
  rig.world.standings.set(other, { type: "ended", successor: undefined });
  const reading = rig.last(rig.feed({ type: "leases" }), owned);
  assert.deepEqual(typesOf(rig.range(reading, owned)), ["open", "run"]);
});

test("calls go to the incarnation that succeeds an ended one, and are claimed if it does not answer", () => {
  const rig = createRig();
  const successor = "c".repeat(32);
  const owned = stored(1, recordOf(other, 1));
  rig.world.standings.set(other, { type: "ended", successor });
  assert.equal(one(rig.last(rig.invoke(callOf(1)), owned), "forward").incarnation, successor);
  rig.feed({ type: "undelivered", call: callOf(1), incarnation: successor });
  assert.deepEqual(typesOf(rig.last(rig.wait(100, "wake"), owned)), ["readRange"]);
});

test("of the calls of a worker that is lost, readers and those that had not begun run again", () => {
  const rig = createRig().owner();
  for (const call of [callOf(2), callOf(3), readOf(4)]) rig.invoke(call);
  const { number } = rig.activation;
  const effects = rig.feed({ type: "worker_lost", activation: number, begun: new Set([2, 4]) });
  assert.deepEqual(reasons(effects), [[2, "worker_lost"]]);
  assert.deepEqual(typesOf(effects), ["fail", "close", "cold", "readLast"]);
  const own = stored(1, recordOf(me, 1));
  const again = rig.range(rig.last(effects, own), own);
  assert.deepEqual(typesOf(again).slice(0, 3), ["open", "run", "run"]);
});

test("a turn whose record was not accepted when its worker went is not run again, with or without a key", () => {
  const rig = createRig().owner();
  rig.invoke(callOf(2));
  rig.turned(2);
  rig.invoke(callOf(3, { id: undefined }));
  rig.turned(3);
  const { number } = rig.activation;
  const effects = rig.feed({ type: "worker_lost", activation: number, begun: new Set() });
  assert.deepEqual(reasons(effects), [
    [2, "worker_lost"],
    [3, "worker_lost"],
  ]);
});

test("an activation that cannot be opened fails its calls with the host's reason", () => {
  const rig = createRig().held();
  const failure = { code: "not_found", reason: "agent_not_found", message: "no such agent" } as const;
  const effects = rig.feed({ type: "open_failed", activation: rig.activation.number, failure });
  assert.deepEqual(reasons(effects), [[1, "agent_not_found"]]);
  assert.equal(rig.phase, "cold");
});

test("an order to wake is done when the claim is durable", () => {
  const rig = createRig();
  const effects = rig.empty(rig.feed({ type: "control", call: callOf(1, { type: "wake" }) }));
  assert.deepEqual(typesOf(effects), ["open", "append"]);
  assert.deepEqual(typesOf(rig.accept(effects)), ["owned", "done"]);
  assert.deepEqual(typesOf(rig.feed({ type: "control", call: callOf(2, { type: "wake" }) })), ["done"]);
});

test("an order to end is done when the tombstone is accepted; a later call begins a new life with the old ids", () => {
  const rig = createRig().owner();
  rig.invoke(callOf(2));
  assert.deepEqual(typesOf(rig.feed({ type: "control", call: callOf(3, { type: "end" }) })), []);
  const last = rig.accept(rig.turned(2));
  assert.deepEqual(typesOf(last), ["reply", "append"]);
  assert.equal(one(last, "append").gone, true);
  assert.deepEqual(typesOf(rig.accept(last)), ["done", "close", "cold"]);
  const gone = { seq: 3, atMs: 0, bytes: one(last, "append").bytes };
  const again = rig.last(rig.invoke(callOf(4, { id: callOf(2).id })), gone);
  assert.deepEqual(typesOf(again), ["open", "reply"]);
  assert.deepEqual(one(again, "open").image, { pages: [], deltas: [], isReleased: false });
});

test("an order to end a session that is not there is done at once", () => {
  const rig = createRig();
  assert.deepEqual(typesOf(rig.empty(rig.feed({ type: "control", call: callOf(1, { type: "end" }) }))), [
    "done",
    "cold",
  ]);
});

test("what turns leave counts as what waits, until it is accepted", () => {
  const rig = createRig().owner();
  rig.invoke(callOf(2));
  // two calls of 10 bytes, and an answer of 16
  const append = rig.turned(2, pipelineBytesMax - 35);
  assert.deepEqual(reasons(rig.invoke(callOf(3))), [[3, "queue_full"]]);
  rig.accept(append);
  assert.deepEqual(typesOf(rig.invoke(callOf(4))), ["run"]);
});

test("a call that ran after one that failed under its id with other bytes is joined, not run twice", () => {
  const rig = createRig().owner();
  const later = (number: number) => callOf(number, { id: keyOf(2, { rawHash: sixteen(5) }) });
  rig.invoke(callOf(2));
  rig.invoke(later(3));
  assert.deepEqual(
    all(rig.failed(2), "run").map(({ call }) => call),
    [3],
  );
  assert.deepEqual(typesOf(rig.invoke(later(4))), []);
  assert.deepEqual(
    all(rig.accept(rig.turned(3)), "reply").map(({ call }) => call),
    [3, 4],
  );
});

test("answers that wait for different records leave each with its own", () => {
  const rig = createRig().owner();
  for (const call of [2, 4]) rig.invoke(callOf(call));
  for (const call of [3, 5]) rig.invoke(readOf(call));
  const first = rig.turned(2);
  rig.read(3);
  rig.turned(4);
  rig.read(5);
  const second = rig.accept(first);
  const repliesOf = (effects: readonly LaneEffect[]) => all(effects, "reply").map(({ call }) => call);
  assert.deepEqual(
    [repliesOf(second), repliesOf(rig.accept(second))],
    [
      [2, 3],
      [4, 5],
    ],
  );
});

test("an order whose caller goes away while the session wakes is carried out by nobody", () => {
  const rig = createRig();
  rig.feed({ type: "control", call: callOf(1, { type: "wake" }) });
  assert.deepEqual(typesOf(rig.feed({ type: "abandon", call: 1, why: "caller" })), ["fail", "cold"]);
});

test("a caller that goes away when its call has run cancels nothing", () => {
  const rig = createRig().owner();
  rig.invoke(callOf(2));
  rig.turned(2);
  assert.deepEqual(typesOf(rig.feed({ type: "abandon", call: 2, why: "caller" })), []);
});

test("who goes away unknown is told nothing", () => {
  const rig = createRig().owner();
  assert.deepEqual(typesOf(rig.feed({ type: "abandon", call: 99, why: "caller" })), []);
  const dropped = { call: 99, why: "caller", hasBegun: false } as const;
  assert.deepEqual(typesOf(rig.feed({ type: "dropped", activation: rig.activation.number, ...dropped })), []);
});

test("a thread that says what cannot be is told apart, and leaves nothing", () => {
  const rig = createRig().owner();
  rig.invoke(callOf(2));
  const said = { activation: rig.activation.number, call: 2, answer: sixteen(2) };
  const turned = { ...said, type: "turned", delta: sixteen(1), canonicalHash: undefined, sends: [] } as const;
  assert.throws(() => rig.feed({ ...turned, turn: 3 }), /turn 3 after turn 1/);
  assert.throws(() => rig.feed({ ...turned, turn: 2, call: 9 }), /call 9, which it does not have/);
  assert.throws(() => rig.feed({ ...said, type: "read", after: 2 }), ThreadFault);
  rig.turned(2);
  assert.throws(() => rig.feed({ ...turned, turn: 3 }), ThreadFault, "it has ended before");
  assert.equal(rig.activation.turns.executed, 2);
});
