import assert from "node:assert/strict";
import { test } from "node:test";
import {
  all,
  callOf,
  createRig,
  keyOf,
  one,
  other,
  type Rig,
  readOf,
  sixteen,
  typesOf,
} from "../../test/lane-rig.ts";
import { asksMax } from "../call/index.ts";
import { turnAsksMax } from "./asks.ts";
import { briefKeepMs } from "./constants.ts";
import type { LaneEffect } from "./types.ts";

/** The handler of `call` asks something that has this hash; none for what is readonly. */
function ask(rig: Rig, by: number, call = 100, request: number | "readonly" = 5): LaneEffect[] {
  const requestHash = request === "readonly" ? undefined : sixteen(request);
  return rig.feed({ type: "ask", activation: rig.activation.number, by, call, requestHash });
}

const idOf = (effects: readonly LaneEffect[]) => {
  const { id } = one(effects, "ask");
  assert.ok(id?.type === "key");
  return id;
};

test("an ask of a session that is only held sends a claim, and leaves when it is accepted", () => {
  const rig = createRig().held();
  const claim = ask(rig, 1);
  assert.deepEqual(typesOf(claim), ["append"]);
  const accepted = rig.accept(claim);
  assert.equal(one(accepted, "ask").call, 100);
});

test("an ask of an owner with nothing uncommitted leaves at once", () => {
  const rig = createRig().owner();
  rig.invoke(callOf(2));
  assert.deepEqual(typesOf(ask(rig, 2)), ["ask"]);
});

test("a turn asks so many different things and no more, and again what it has asked", () => {
  const rig = createRig().owner();
  rig.invoke(callOf(2));
  const { number: activation } = rig.activation;
  const askOf = (call: number, what: number) => {
    const requestHash = sixteen(0);
    new DataView(requestHash.buffer).setUint32(0, what);
    return typesOf(rig.feed({ type: "ask", activation, by: 2, call, requestHash }));
  };
  for (let i = 0; i < turnAsksMax; i += 1) askOf(100 + i, i);
  assert.deepEqual(askOf(1, turnAsksMax), ["refuseAsk"]);
  assert.deepEqual(askOf(2, 5), ["ask"]);
});

test("an ask waits for every turn before its own", () => {
  const rig = createRig().owner();
  rig.invoke(callOf(2));
  rig.invoke(callOf(3));
  const append = rig.turned(2);
  assert.deepEqual(typesOf(ask(rig, 3)), []);
  assert.deepEqual(typesOf(rig.accept(append)), ["reply", "ask"]);
});

test("an ask waits while the lease may have ended, and while the last record is not looked at again", () => {
  const rig = createRig().owner();
  rig.invoke(callOf(2));
  rig.world.valid = false;
  assert.deepEqual(typesOf(ask(rig, 2)), []);
  rig.world.valid = true;
  assert.deepEqual(typesOf(rig.feed({ type: "leases" })), ["ask"]);
  rig.feed({ type: "connection", up: false });
  const up = rig.feed({ type: "connection", up: true });
  assert.deepEqual(typesOf(ask(rig, 2, 101)), []);
  assert.deepEqual(typesOf(rig.last(up, rig.tip())), ["ask"]);
});

test("a turn that runs again, on whatever node, asks the same under the same ids, and equal asks are told apart", () => {
  const first = createRig().owner();
  const second = createRig();
  second.world.incarnation = other;
  second.owner();
  const ids = [first, second].map((rig, at) => {
    rig.invoke(callOf(20 + at, { id: keyOf(2) }));
    return [100, 101].map((number) => idOf(ask(rig, 20 + at, number)).id.toHex());
  });
  assert.deepEqual(ids[0], ids[1]);
  assert.equal(new Set(ids[0]).size, 2);
  const otherwise = idOf(ask(first, 20, 102, 6)).id.toHex();
  assert.ok(!ids[0]?.includes(otherwise));
});

test("a turn that ends leaves the equal asks of another one told apart", () => {
  const rig = createRig().owner();
  rig.invoke(callOf(2));
  rig.invoke(callOf(3));
  const first = idOf(ask(rig, 3, 100)).id;
  rig.failed(2, 1);
  assert.notDeepEqual(idOf(ask(rig, 3, 101)).id, first);
});

test("other turns ask under other ids, numbered ones and those without an id too", () => {
  const numbered = (seq: number) =>
    ({ type: "numbered", client: sixteen(50), seq, lowest: 1, rawHash: sixteen(1) }) as const;
  const ids = [keyOf(2), keyOf(3), numbered(1), numbered(2), undefined, undefined].map((id, at) => {
    const rig = createRig().owner();
    rig.invoke(callOf(10 + at, { id }));
    return idOf(ask(rig, 10 + at)).id.toHex();
  });
  assert.equal(new Set(ids).size, 6);
});

test("the answer to an ask is kept as long as the turn may be run again", () => {
  const rig = createRig().owner();
  rig.invoke(callOf(2, { id: keyOf(2, { keepMs: 1_234_567 }) }));
  assert.equal(idOf(ask(rig, 2)).keepMs, 1_234_567);
  rig.accept(rig.turned(2));
  rig.invoke(callOf(3, { id: undefined }));
  assert.equal(idOf(ask(rig, 3)).keepMs, briefKeepMs);
});

test("a call without an id that has asked something does not run again", () => {
  for (const asks of [false, true]) {
    const rig = createRig().owner();
    rig.invoke(callOf(2, { id: undefined }));
    if (asks) assert.deepEqual(typesOf(ask(rig, 2)), ["ask"]);
    rig.feed({ type: "connection", up: false });
    const up = rig.feed({ type: "connection", up: true });
    const [own, fence] = [rig.tip(), rig.fence()];
    const lost = rig.range(rig.last(up, fence), own, fence);
    assert.deepEqual(
      all(lost, "fail").map(({ call, failure }) => [call, failure.reason]),
      asks ? [[2, "store_away"]] : [],
    );
  }
});

test("what a turn asked and has not left goes with the turn, and with the memory", () => {
  const rig = createRig().owner();
  rig.world.valid = false;
  rig.invoke(callOf(2));
  ask(rig, 2);
  assert.equal(one(rig.failed(2), "refuseAsk").failure.reason, "interrupted");
  assert.deepEqual(typesOf(ask(rig, 2, 101)), ["refuseAsk"]);
  rig.invoke(callOf(3));
  ask(rig, 3, 102);
  const { number: activation } = rig.activation;
  const begun = new Set([3]);
  const lost = rig.feed({ type: "worker_lost", activation, begun });
  assert.equal(one(lost, "refuseAsk").call, 102);
});

test("what a turn asked goes with it, though the turn runs again at once for another caller", () => {
  const rig = createRig().owner();
  rig.world.valid = false;
  rig.invoke(callOf(2));
  ask(rig, 2);
  rig.feed({ type: "abandon", call: 2, why: "caller" });
  rig.invoke({ ...callOf(2), number: 3 });
  const { number: activation } = rig.activation;
  const effects = rig.feed({ type: "dropped", activation, call: 2, why: "caller", hasBegun: true });
  assert.deepEqual(typesOf(effects), ["refuseAsk", "fail", "run"]);
});

test("asks that cannot leave are bounded, also those whose time is over", () => {
  const rig = createRig().owner();
  rig.world.valid = false;
  rig.invoke(callOf(2));
  for (let number = 0; number < asksMax; number += 1)
    assert.deepEqual(typesOf(ask(rig, 2, 100 + number)), []);
  const { failure } = one(ask(rig, 2, 99), "refuseAsk");
  assert.deepEqual([failure.reason, failure.code], ["queue_full", "resource_exhausted"]);
  rig.world.valid = true;
  assert.deepEqual(
    all(rig.feed({ type: "leases" }), "ask").map(({ call }) => call),
    Array.from({ length: asksMax }, (_, at) => 100 + at),
  );
  assert.deepEqual(typesOf(ask(rig, 2, 99)), ["ask"]);
});

test("a reader of a session that is not born asks at once, and nothing is claimed", () => {
  const rig = createRig();
  rig.empty(rig.invoke(readOf(1)));
  assert.equal(rig.phase, "unborn");
  const effects = ask(rig, 1, 100, "readonly");
  assert.deepEqual([typesOf(effects), one(effects, "ask").id], [["ask"], undefined]);
});

test("what a reader asks waits for a claim, unless nobody can have come in between", () => {
  const rig = createRig().held();
  const claim = rig.invoke(readOf(2));
  assert.deepEqual(typesOf(ask(rig, 2, 100, "readonly")), []);
  assert.deepEqual(typesOf(rig.accept(claim)), ["owned", "ask"]);
  const kept = createRig().readable();
  kept.invoke(readOf(4));
  assert.deepEqual(typesOf(ask(kept, 4, 100, "readonly")), ["ask"]);
});
