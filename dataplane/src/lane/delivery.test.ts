import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import {
  all,
  callOf,
  createRig,
  hash,
  me,
  one,
  other,
  type Rig,
  recordOf,
  sixteen,
  stored,
  typesOf,
} from "../../test/lane-rig.ts";
import { type Failure, fail, type Send, sendBytes } from "../call/index.ts";
import {
  attemptsMax,
  awayMax,
  endPatienceMs,
  letterLifeMs,
  lettersPerMsMax,
  recordTurnsMax,
  redeliverMinMs,
  rejectedRetryMs,
  resendMinMs,
  threadPauseMs,
  threadsMax,
  worldRetryMaxMs,
} from "./constants.ts";
import { acceptLetters, createOutbox, openOutbox, owedBy } from "./outbox.ts";
import { decodeStored, replay } from "./replay.ts";
import type { LaneEffect } from "./types.ts";

const send = (key: string, method = "take"): Send => ({ agent: "sink", key, method, body: sixteen(1) });

/** Call `call` sends, and its record is accepted. */
function sending(rig: Rig, call: number, ...sends: readonly Send[]): LaneEffect[] {
  rig.invoke(callOf(call));
  const turned = rig.turned(call, 1, sends);
  const ring = all(turned, "ring")[0];
  return rig.accept(ring === undefined ? turned : rung(rig, ring.token));
}

const rung = (rig: Rig, token: number, seq = 50): LaneEffect[] => rig.feed({ type: "rung", token, seq });

/** What became of letter `n`. */
const told = (rig: Rig, n: number, failure?: Failure, isNobodyThere = false): LaneEffect[] =>
  rig.feed({ type: "delivered", activation: rig.activation.number, n, failure, isNobodyThere });

const numbers = (effects: readonly LaneEffect[]): number[] =>
  all(effects, "deliver").map(({ letter }) => letter.n);

const notTaken = fail("not_taken", "it was not taken").failure;
const refused = fail("bad_request", "not such a thing").failure;
const broken = fail("internal", "the handler threw").failure;
const full = fail("queue_full", "too many wait").failure;
const gone = fail("agent_not_found", "there is none").failure;

test("the bell rings before a record with a letter is sent, and the letter leaves when that is accepted", () => {
  const rig = createRig().owner();
  rig.invoke(callOf(2));
  const turned = rig.turned(2, 1, [send("a")]);
  assert.deepEqual(typesOf(turned), ["ring"]);
  const append = rung(rig, one(turned, "ring").token);
  assert.deepEqual(typesOf(append), ["append"]);
  const accepted = rig.accept(append);
  assert.deepEqual(typesOf(accepted), ["reply", "deliver"]);
  const { source, letter } = one(accepted, "deliver");
  assert.deepEqual([source, letter], [sixteen(77), { ...send("a"), n: 1, atMs: 1_000 }]);
  assert.deepEqual(numbers(sending(rig, 3, send("b"))), [2], "the bell rings once");
});

test("a bell that does not get there is rung again, and the turn waits", () => {
  const rig = createRig().owner();
  rig.invoke(callOf(2));
  const { token } = one(rig.turned(2, 1, [send("a")]), "ring");
  assert.deepEqual(typesOf(rig.feed({ type: "store_failed", token })), []);
  assert.deepEqual(typesOf(rig.wait(resendMinMs - 1, "outbox")), []);
  assert.deepEqual(typesOf(rig.wait(1, "outbox")), ["ring"]);
});

test("letters to one session go one by one in their order, those to others beside them", () => {
  const rig = createRig().owner();
  const sent = sending(rig, 2, send("a"), send("a"), send("b"));
  assert.deepEqual(numbers(sent), [1, 3]);
  const next = told(rig, 1);
  assert.deepEqual([typesOf(next), numbers(next)], [["outbox", "deliver"], [2]]);
  assert.equal(one(next, "outbox").messages, -1);
  assert.deepEqual(numbers(told(rig, 2)), []);
});

test("so many letters are on their way at once, and the next one goes when one is over", () => {
  const rig = createRig().owner();
  const sends = Array.from({ length: awayMax + 3 }, (_, i) => send(`k${i}`));
  assert.equal(numbers(sending(rig, 2, ...sends)).length, awayMax);
  assert.deepEqual(numbers(told(rig, 5)), [awayMax + 1]);
  assert.deepEqual(numbers(told(rig, 6)), [awayMax + 2]);
});

test("what is told of a letter twice counts once", () => {
  const rig = createRig().owner();
  sending(rig, 2, ...Array.from({ length: awayMax + 3 }, (_, i) => send(`k${i}`)));
  assert.deepEqual(numbers(told(rig, 1, full)), [awayMax + 1]);
  assert.deepEqual(numbers(told(rig, 1, full)), []);
  assert.deepEqual(numbers(told(rig, 1)), []);
  rig.world.monotonicMs += redeliverMinMs;
  assert.deepEqual(numbers(told(rig, 2)), [awayMax + 2]);
});

test("a letter that is over leaves the books of the worker with its bytes", () => {
  const rig = createRig().owner();
  sending(rig, 2, send("a"), send("a"));
  const { messages, bytes } = one(told(rig, 1), "outbox");
  assert.deepEqual([messages, bytes], [-1, -sendBytes(send("a"))]);
});

test("the next letter to a session has its own attempts, and its own pauses", () => {
  const rig = createRig().owner();
  sending(rig, 2, send("a"), send("a"));
  for (let attempt = 1; attempt < attemptsMax; attempt += 1) {
    told(rig, 1, broken);
    assert.deepEqual(numbers(rig.wait(60_000, "outbox")), [1]);
  }
  assert.deepEqual(numbers(told(rig, 1)), [2]);
  assert.deepEqual(typesOf(told(rig, 2, broken)), []);
  assert.deepEqual(numbers(rig.wait(redeliverMinMs, "outbox")), [2]);
  for (let attempt = 2; attempt < attemptsMax; attempt += 1) {
    told(rig, 2, broken);
    assert.deepEqual(numbers(rig.wait(60_000, "outbox")), [2]);
  }
  assert.equal(givenUp(rig, told(rig, 2, broken)).attempts, attemptsMax);
});

test("each of two letters that came back goes again at its own time", () => {
  const rig = createRig().owner();
  sending(rig, 2, send("a"), send("b"));
  told(rig, 1, full);
  rig.wait(60);
  told(rig, 2, full);
  assert.deepEqual(numbers(rig.wait(redeliverMinMs - 60, "outbox")), [1]);
  assert.deepEqual(numbers(rig.wait(60, "outbox")), [2]);
});

test("a timer is asked for when something waits, and once", () => {
  const rig = createRig().owner();
  assert.deepEqual(all(sending(rig, 2, send("a"), send("b")), "timer"), []);
  assert.deepEqual(all(told(rig, 1, full), "timer"), [
    { type: "timer", timer: "outbox", atMs: rig.world.monotonicMs + redeliverMinMs },
  ]);
  assert.deepEqual(all(told(rig, 2, full), "timer"), []);
});

const connection = (rig: Rig, up: boolean): LaneEffect[] => rig.feed({ type: "connection", up });

test("without the store nothing leaves; with it the bell rings anew, and what waited goes when the lane is read", () => {
  const rig = createRig().owner();
  sending(rig, 2, send("a"), send("a"));
  const tip = rig.tip();
  connection(rig, false);
  assert.deepEqual(typesOf(told(rig, 1)), ["outbox"]);
  const up = connection(rig, true);
  assert.deepEqual(typesOf(up), ["readLast"]);
  const verified = rig.last(up, tip);
  assert.deepEqual([typesOf(verified), numbers(verified)], [["ring", "deliver"], [2]]);
});

test("a record with a single letter that is on its way when the store goes is sent again after the bell", () => {
  const rig = createRig().owner();
  rig.invoke(callOf(2));
  const { token } = one(rig.turned(2, 1, [send("a")]), "ring");
  const tip = rig.tip();
  rung(rig, token);
  connection(rig, false);
  const verified = rig.last(connection(rig, true), tip);
  assert.deepEqual(typesOf(verified), ["ring"]);
  assert.deepEqual(all(rig.wait(2_000), "append"), [], "it may not lie there without a bell");
  rung(rig, one(verified, "ring").token);
  assert.deepEqual(numbers(rig.accept(rig.wait(2_000))), [1]);
});

test("what only a bell is refused for costs no turn that sends nothing", () => {
  const rig = createRig().owner();
  sending(rig, 2, send("a"));
  const tip = rig.tip();
  connection(rig, false);
  const verified = rig.last(connection(rig, true), tip);
  rig.invoke(callOf(3));
  const { token } = one(verified, "ring");
  assert.deepEqual(typesOf(rig.feed({ type: "rejected", token, why: "no room" })), []);
  assert.deepEqual(typesOf(rig.wait(rejectedRetryMs - 1, "outbox")), []);
  assert.deepEqual(typesOf(rig.wait(1, "outbox")), ["ring"]);
});

const toItself: Send = { ...send("k"), agent: "counter" };

test("a session that ends takes nothing from itself any more, and what others get goes", () => {
  const rig = createRig().owner();
  const neighbours: Send[] = [send("k"), { ...toItself, key: "j" }];
  assert.deepEqual(numbers(sending(rig, 2, toItself, toItself, ...neighbours)), [1, 3, 4]);
  rig.feed({ type: "control", call: callOf(3, { type: "end" }) });
  const came = told(rig, 1, full);
  assert.deepEqual(typesOf(came), []);
  const waited = rig.wait(redeliverMinMs, "outbox");
  assert.deepEqual(typesOf(waited), ["outbox", "outbox"]);
  told(rig, 3, full);
  assert.deepEqual(numbers(rig.wait(redeliverMinMs, "outbox")), [3]);
});

/** The letter is given up: its session says that it was not taken, and what is kept of it is returned. */
function givenUp(rig: Rig, effects: readonly LaneEffect[]) {
  const { letter, isGivenUp } = one(effects, "deliver");
  assert.equal(isGivenUp, true);
  return one(told(rig, letter.n, notTaken), "bury");
}

test("a letter that is refused for good is a dead one, and the next one goes when it is kept", () => {
  const rig = createRig().owner();
  sending(rig, 2, send("a"), send("a"));
  const dead = givenUp(rig, told(rig, 1, refused));
  assert.deepEqual([dead.letter.n, dead.failure, dead.attempts, dead.source], [1, refused, 1, sixteen(77)]);
  rig.feed({ type: "store_failed", token: dead.token });
  const { token, failure } = givenUp(rig, rig.wait(60_000, "outbox"));
  assert.deepEqual(failure, refused, "it may be kept already, and does not run again");
  assert.deepEqual(numbers(rig.feed({ type: "buried", token })), [2]);
});

test("a letter that turns out to be taken is over, however its last attempt ended", () => {
  const rig = createRig().owner();
  sending(rig, 2, send("a"), send("a"));
  told(rig, 1, refused);
  assert.deepEqual(numbers(told(rig, 1)), [2]);
});

test("a letter to an agent that is gone is a dead one at once: nobody could take it", () => {
  const rig = createRig().owner();
  sending(rig, 2, send("a"));
  assert.equal(one(told(rig, 1, gone, true), "bury").failure, gone);
});

for (const failure of [fail("internal", "the handler threw"), fail("turn_timeout", "it took too long")])
  test(`a letter whose handler fails (${failure.failure.reason}) goes again, later each time, and is a dead one after attemptsMax`, () => {
    const rig = createRig().owner();
    sending(rig, 2, send("a"));
    let waitedMs = 0;
    for (let attempt = 1; attempt < attemptsMax; attempt += 1) {
      assert.deepEqual(typesOf(told(rig, 1, failure.failure)), []);
      const pauseMs = Math.min(60_000, redeliverMinMs * 2 ** (attempt - 1));
      assert.deepEqual(numbers(rig.wait(pauseMs - 1, "outbox")), []);
      assert.deepEqual(numbers(rig.wait(1, "outbox")), [1]);
      waitedMs += pauseMs;
    }
    assert.equal(givenUp(rig, told(rig, 1, failure.failure)).attempts, attemptsMax);
    assert.ok(waitedMs > 5 * 60_000 && waitedMs < 10 * 60_000);
  });

test("a handler that found another agent gone is there itself, and gives the letter up", () => {
  const rig = createRig().owner();
  sending(rig, 2, send("a"));
  assert.equal(givenUp(rig, told(rig, 1, gone)).failure, gone);
});

test("its session is asked until it says whether the letter was taken", () => {
  const rig = createRig().owner();
  sending(rig, 2, send("a"));
  told(rig, 1, refused);
  assert.deepEqual(typesOf(told(rig, 1, full)), []);
  givenUp(rig, rig.wait(2_000, "outbox"));
});

test("what no handler is to blame for is tried until it goes", () => {
  const rig = createRig().owner();
  sending(rig, 2, send("a"));
  for (let i = 0; i < 3 * attemptsMax; i += 1) {
    assert.deepEqual(typesOf(told(rig, 1, full)), []);
    assert.deepEqual(numbers(rig.wait(2_000, "outbox")), [1]);
  }
});

test("attempts are counted on when the thread of the sender ends under them", () => {
  const rig = createRig().owner();
  sending(rig, 2, send("a"));
  for (let attempt = 1; attempt < attemptsMax; attempt += 1) {
    told(rig, 1, broken);
    const { number: activation } = rig.activation;
    const tip = rig.tip();
    rig.world.monotonicMs += 60_000;
    const lost = rig.feed({ type: "worker_lost", activation, begun: new Set() });
    const order = callOf(100, { type: "deliver", id: undefined });
    const read = attempt === 1 ? rig.feed({ type: "control", call: order }) : lost;
    const letters = [{ ...send("a"), n: 1, atMs: 1_000 }];
    const { rid, n } = recordOf(me, 2);
    const fold = recordOf(me, n, rid, { type: "fold", outbox: { overBelow: 1, next: 2, letters } });
    const opened = rig.last(read, stored(tip.seq, { ...fold, rid }));
    assert.deepEqual(numbers(rig.accept(opened)), [1]);
  }
  assert.equal(givenUp(rig, told(rig, 1, broken)).attempts, attemptsMax);
});

test("a letter that is too old is given up unsent", () => {
  const rig = createRig().owner();
  sending(rig, 2, send("a"));
  told(rig, 1, full);
  rig.world.storeMs += letterLifeMs - redeliverMinMs - 1;
  assert.equal(one(rig.wait(redeliverMinMs, "outbox"), "deliver").isGivenUp, false);
  told(rig, 1, full);
  rig.world.storeMs += 1 - 2 * redeliverMinMs;
  const { failure } = givenUp(rig, rig.wait(2 * redeliverMinMs, "outbox"));
  assert.match(failure.message, /^given up after 7 days/);
});

test("whoever wakes the session delivers what it finds", () => {
  const letters = [{ ...send("a"), n: 4, atMs: 1_000 }];
  const first = recordOf(other, 1);
  const last = stored(
    7,
    recordOf(other, 2, first.rid, {
      type: "fold",
      released: true,
      outbox: { overBelow: 4, next: 9, letters },
    }),
  );
  const rig = createRig();
  const order = callOf(1, { type: "deliver", id: undefined });
  const opened = rig.last(rig.feed({ type: "control", call: order }), last);
  assert.deepEqual(typesOf(opened), ["open", "outbox", "ring", "append"]);
  const { messages, bytes } = one(opened, "outbox");
  assert.deepEqual([messages, bytes], [1, sendBytes(send("a"))]);
  const claimed = rig.accept(opened);
  assert.deepEqual(numbers(claimed), [4]);
  const { token } = givenUp(rig, told(rig, 4, refused));
  const said = rig.feed({ type: "buried", token });
  assert.deepEqual(typesOf(said), ["outbox", "append"]);
  assert.deepEqual(typesOf(rig.accept(said)), ["done"], "only when the lane says so");
  const next = rig.world.storeMs * lettersPerMsMax;
  assert.deepEqual(numbers(sending(rig, 2, send("a"))), [next]);
  assert.deepEqual(numbers(sending(rig, 3, send("b"))), [next + 1], "numbers go on");
});

test("what is given up does not rise again, whatever else is on its way, and though nobody calls the session", () => {
  const rig = createRig().held();
  const born = rig.turned(1);
  rig.accept(born);
  rig.invoke(callOf(2));
  const { token: bell } = one(rig.turned(2, 1, [send("a"), send("b"), send("b"), send("b")]), "ring");
  const sent = rung(rig, bell);
  rig.accept(sent);
  told(rig, 2);
  const { token } = givenUp(rig, told(rig, 3, refused));
  const said = rig.feed({ type: "buried", token });
  const rows = [born, sent, said].map((effects) => one(effects, "append"));
  const base = replay(
    rows.map(({ bytes }, seq) => decodeStored({ seq: seq + 1, atMs: 1_000, bytes }, crc32, hash)),
  );
  assert.ok(typeof base === "object");
  assert.deepEqual([...base.outbox.letters.keys()], [1, 4]);
});

test("a session that sleeps says by its fold what is given up", () => {
  const rig = createRig().owner();
  sending(rig, 2, send("a"));
  const { token } = givenUp(rig, told(rig, 1, refused));
  rig.feed({ type: "sleep" });
  assert.deepEqual(typesOf(rig.feed({ type: "buried", token })), ["outbox"]);
  const slept = rig.accept(rig.cut());
  assert.deepEqual(typesOf(slept).slice(0, 1), ["unring"]);
});

test("no number of a tail that the lane has lost is given out again", () => {
  const rig = createRig().owner();
  const left = rig.tip();
  const sends = Array.from({ length: awayMax }, (_, i) => send(`k${i}`));
  const lost = numbers(sending(rig, 2, ...sends));
  assert.equal(lost.at(-1), awayMax);
  const next = createRig();
  next.world.storeMs = rig.world.storeMs + 1;
  next.range(next.last(next.invoke(callOf(1)), left), left);
  const { token } = one(next.turned(1, 1, [send("a")]), "ring");
  const [n = 0] = numbers(next.accept(rung(next, token)));
  assert.ok(n > awayMax, `number ${n} was given out before`);
});

test("what is over by a later record is not delivered, nor counted", () => {
  const [from, to] = [send("a"), send("b")].map((letter, at) => ({ ...letter, n: at + 1, atMs: 1_000 }));
  assert.ok(from !== undefined && to !== undefined);
  const first = recordOf(other, 1);
  const fold = recordOf(other, 2, first.rid, {
    type: "fold",
    outbox: { overBelow: 1, next: 3, letters: [from, to] },
  });
  const last = { ...recordOf(other, 3, fold.rid), outbox: { overBelow: 2, next: 3, letters: [] }, from: 8 };
  assert.ok(last.type === "turns");
  const rig = createRig();
  rig.world.standings.set(other, { type: "ended", successor: undefined });
  const order = callOf(1, { type: "deliver", id: undefined });
  const reading = rig.last(rig.feed({ type: "control", call: order }), stored(8, last));
  const opened = rig.range(reading, stored(7, fold), stored(8, last));
  const { messages, bytes } = one(opened, "outbox");
  assert.deepEqual([messages, bytes], [1, sendBytes(to)]);
  assert.deepEqual(numbers(rig.accept(opened)), [2]);
});

test("an order to deliver is carried out when nothing is on its way, and then the bell rings anew", () => {
  const rig = createRig().owner();
  sending(rig, 2, send("a"));
  assert.deepEqual(
    typesOf(rig.feed({ type: "control", call: callOf(3, { type: "deliver", id: undefined }) })),
    [],
  );
  assert.deepEqual(typesOf(told(rig, 1)), ["outbox", "done"]);
  rig.invoke(callOf(4));
  assert.deepEqual(typesOf(rig.turned(4, 1, [send("a")])), ["ring"]);
});

test("a session sleeps with its letters, and its bell stays; without any the bell goes", () => {
  for (const isOver of [false, true]) {
    const rig = createRig().owner();
    sending(rig, 2, send("a"));
    if (isOver) told(rig, 1);
    rig.feed({ type: "sleep" });
    const slept = rig.accept(rig.cut());
    assert.deepEqual(typesOf(slept), [...(isOver ? ["unring"] : []), "trimAsleep", "close", "cold"]);
  }
});

test("a session ends when its letters are over, and each has one more attempt", () => {
  const rig = createRig().owner();
  sending(rig, 2, send("a"), send("b"));
  rig.feed({ type: "control", call: callOf(3, { type: "end" }) });
  assert.deepEqual(typesOf(told(rig, 1)), ["outbox"]);
  const { token } = givenUp(rig, told(rig, 2, broken));
  assert.deepEqual(typesOf(rig.feed({ type: "buried", token })), ["outbox", "append"]);
});

test("a session that ends tries a letter again whose thread was lost: that was no attempt of its own", () => {
  const lost = fail("worker_lost", "a neighbour held the thread").failure;
  const rig = createRig().owner();
  sending(rig, 2, send("a"));
  rig.feed({ type: "control", call: callOf(3, { type: "end" }) });
  told(rig, 1, lost);
  assert.equal(one(rig.wait(worldRetryMaxMs, "outbox"), "deliver").isGivenUp, false);
  assert.equal(one(told(rig, 1, broken), "deliver").isGivenUp, true);
});

const letterOf = (number: number, n: number, source = 5) =>
  callOf(number, { id: { type: "sent", source: sixteen(source), n, rawHash: sixteen(source) } });

test("a letter is taken once, and one with a lower number of its source not any more", () => {
  const rig = createRig().owner();
  rig.invoke(letterOf(2, 7));
  assert.deepEqual(typesOf(rig.accept(rig.turned(2))), ["reply"]);
  for (const [call, n] of [
    [3, 7],
    [4, 6],
  ] as const)
    assert.deepEqual(typesOf(rig.invoke(letterOf(call, n))), ["reply"]);
  assert.deepEqual(typesOf(rig.invoke(letterOf(5, 8))), ["run"]);
  assert.deepEqual(typesOf(rig.invoke(letterOf(6, 1, 9))), ["run"]);
});

const sealOf = (number: number, n: number, source = 5) =>
  ({ type: "control", call: { ...letterOf(number, n, source), type: "deliver" } }) as const;

test("a letter that was taken is not given up; one that was not never will be", () => {
  const rig = createRig().owner();
  rig.invoke(letterOf(2, 7));
  rig.accept(rig.turned(2));
  assert.deepEqual(typesOf(rig.feed(sealOf(20, 7))), ["done"]);
  const record = rig.feed(sealOf(21, 8));
  assert.deepEqual(typesOf(record), ["append"]);
  assert.deepEqual(typesOf(rig.invoke(letterOf(22, 8))), [], "a copy waits for what becomes of it");
  const accepted = rig.accept(record);
  const failures = all(accepted, "fail").map(({ call, failure }) => [call, failure.reason]);
  assert.deepEqual(failures, [
    [21, "not_taken"],
    [22, "not_taken"],
  ]);
  assert.deepEqual(typesOf(rig.feed(sealOf(23, 8))), ["fail"]);
  assert.deepEqual(typesOf(rig.invoke(letterOf(24, 9))), ["run"], "the next one is another");
});

test("letters that are given up go by records of a bounded size", () => {
  const rig = createRig().owner();
  const first = rig.feed(sealOf(1_000, 7));
  for (let i = 1; i <= recordTurnsMax + 5; i += 1) rig.feed(sealOf(1_000 + i, 7 + i));
  const next = rig.accept(first);
  assert.equal(all(rig.accept(next), "fail").length, recordTurnsMax);
});

test("a letter whose copy runs is given up when that has ended without it", () => {
  const rig = createRig().owner();
  rig.invoke(letterOf(2, 7));
  assert.deepEqual(typesOf(rig.feed(sealOf(20, 7))), []);
  assert.deepEqual(typesOf(rig.failed(2)), ["reply", "append"]);
});

test("what was given up is known to whoever wakes the session", () => {
  const seen = [{ source: sixteen(5), n: 7, usedAtMs: 1_000, isGivenUp: true }];
  const fold = recordOf(other, 2, recordOf(other, 1).rid, { type: "fold", released: true, seen });
  const rig = createRig();
  const effects = rig.last(rig.invoke(letterOf(1, 7)), stored(7, fold));
  assert.equal(one(effects, "fail").failure.reason, "not_taken");
});

test("a letter to a session that is not there is given up in its first record", () => {
  const rig = createRig();
  const opened = rig.empty(rig.feed(sealOf(1, 7)));
  assert.deepEqual(typesOf(opened), ["open", "append"]);
  assert.equal(one(rig.accept(opened), "fail").failure.reason, "not_taken");
});

test("a turn that sends is refused at once while the store is full", () => {
  const rig = createRig().owner();
  rig.invoke(callOf(2));
  const { token } = one(rig.turned(2, 1, [send("a")]), "ring");
  const effects = rig.feed({ type: "rejected", token, why: "no room" });
  assert.equal(one(effects, "fail").failure.reason, "store_full");
});

test("a letter whose handler fails may come again under its number", () => {
  const rig = createRig().owner();
  rig.invoke(letterOf(2, 7));
  assert.deepEqual(typesOf(rig.failed(2)), ["reply"]);
  assert.deepEqual(typesOf(rig.invoke(letterOf(3, 7))), ["run"]);
});

test("what was taken is known to whoever wakes the session, from folds and from records", () => {
  const fold = recordOf(other, 2, recordOf(other, 1).rid, {
    type: "fold",
    released: true,
    seen: [{ source: sixteen(5), n: 7, usedAtMs: 1_000, isGivenUp: false }],
  });
  const rig = createRig();
  assert.deepEqual(typesOf(rig.last(rig.invoke(letterOf(1, 7)), stored(7, fold))), ["open", "reply"]);
});

for (const reason of ["closed", "queue_full", "not_taken"] as const)
  test(`what a handler throws on purpose is its own though it calls its reason ${reason}`, () => {
    const own = { code: "failed_precondition", reason, message: "the shop is shut", by: "handler" } as const;
    const rig = createRig().owner();
    sending(rig, 2, send("a"));
    const dead = givenUp(rig, told(rig, 1, own));
    assert.deepEqual([dead.failure, dead.attempts], [own, 1]);
  });

test("a letter that has ended threadsMax threads is a dead one, and goes again after threadPauseMs only", () => {
  const ended = fail("turn_timeout", "it held its thread", { by: "thread" }).failure;
  const rig = createRig().owner();
  sending(rig, 2, send("a"));
  for (let thread = 1; thread < threadsMax; thread += 1) {
    told(rig, 1, ended);
    assert.deepEqual(numbers(rig.wait(threadPauseMs - 1, "outbox")), []);
    assert.deepEqual(numbers(rig.wait(1, "outbox")), [1]);
  }
  assert.equal(givenUp(rig, told(rig, 1, ended)).attempts, threadsMax);
});

test("how many threads a letter has ended outlives the memory of its sender", () => {
  const ended = fail("turn_timeout", "it held its thread", { by: "thread" }).failure;
  const rig = createRig().owner();
  sending(rig, 2, send("a"));
  told(rig, 1, ended);
  assert.deepEqual(owedBy(rig.activation.outbox)?.targets.get(1)?.threads, 1);
  const outbox = createOutbox();
  acceptLetters(outbox, { overBelow: 1, next: 2, letters: [...rig.activation.outbox.letters.values()] });
  openOutbox(outbox, owedBy(rig.activation.outbox), false);
  assert.equal([...outbox.targets.values()][0]?.threads, 1);
});

test("a session that ends has what waits tried at once, and gives up what nobody takes after endPatienceMs", () => {
  const rig = createRig().owner();
  sending(rig, 2, send("a"));
  for (let attempt = 1; attempt < attemptsMax; attempt += 1) {
    told(rig, 1, full);
    rig.wait(60_000, "outbox");
  }
  told(rig, 1, full);
  const ending = rig.feed({ type: "control", call: callOf(3, { type: "end" }) });
  assert.deepEqual(numbers(ending), [1]);
  told(rig, 1, full);
  assert.equal(one(rig.wait(endPatienceMs - 1, "outbox"), "deliver").isGivenUp, false);
  told(rig, 1, full);
  assert.equal(one(rig.wait(worldRetryMaxMs, "outbox"), "deliver").isGivenUp, false);
  const seal = told(rig, 1, full);
  assert.equal(one(seal, "deliver").isGivenUp, true);
  const { failure, token } = one(told(rig, 1, full), "bury");
  assert.match(failure.message, /^too many wait; .* whether it was taken is unknown/);
  const tombstone = one(rig.feed({ type: "buried", token }), "append");
  assert.equal(tombstone.gone, true);
});
