import assert from "node:assert/strict";
import { test } from "node:test";
import { reactorRig } from "../../test/reactor-rig.ts";
import { encodeAnswer, fail, type Send, ThreadFault } from "../call/index.ts";

const send = (key: string, method = "add"): Send => ({
  agent: "counter",
  key,
  method,
  body: Uint8Array.of(49),
});

/** A session whose turn has sent these, and whose record is accepted. */
function sending(...sends: readonly Send[]) {
  const at = reactorRig();
  at.submit();
  at.settle();
  at.turned(0, 1, sends);
  at.settle();
  return at;
}

/** The handler of the call at `index` of all that ran ends. */
function end(at: ReturnType<typeof sending>, index: number, answer?: Uint8Array): void {
  const { number: call } = at.ran[index]?.head ?? assert.fail(`no call ${index} ran`);
  const activation = at.opened[index]?.activation ?? 0;
  const body = encodeAnswer({ ok: true, content: "json", body: new Uint8Array(0) });
  if (answer !== undefined) at.hear({ type: "failed", activation, call, after: 0, answer });
  else
    at.hear({
      type: "turned",
      activation,
      call,
      turn: 1,
      delta: Uint8Array.of(1),
      answer: body,
      canonicalHash: undefined,
      sends: [],
    });
  at.settle();
}

test("a letter runs at its session under the number of its sender, who is named and does not wait", () => {
  const at = sending(send("other"), send("other"));
  const [, letter] = at.ran;
  assert.deepEqual(
    [letter?.name.key, letter?.method, letter?.chain, letter?.body],
    ["other", "add", ["counter/k"], Uint8Array.of(49)],
  );
  assert.deepEqual(letter?.head.id, {
    type: "sent",
    source: new Uint8Array(16),
    n: 1,
    rawHash: new Uint8Array(16),
  });
  assert.deepEqual([letter?.head.hops, letter?.head.mayHaveBegun], [0, false], "nobody has had it before");
  assert.equal(at.ran.length, 2, "the next one waits for it");
  end(at, 1);
  const { id } = at.ran[2]?.head ?? {};
  assert.equal(id?.type === "sent" && id.n, 2);
});

test("a session may send to itself: the letter runs after the turn that sent it", () => {
  const at = sending(send("k"));
  assert.deepEqual(
    at.ran.map(({ name, head }) => [name.key, head.id?.type]),
    [
      ["k", undefined],
      ["k", "sent"],
    ],
  );
});

test("a letter that its handler refuses for good is kept as a dead one", () => {
  const at = sending(send("other"));
  end(at, 1, encodeAnswer(fail("bad_request", "not today")));
  assert.deepEqual(
    at.buried.map(({ letter, failure, attempts }) => [letter.key, failure.message, attempts]),
    [["other", "not today", 1]],
  );
  assert.deepEqual(at.reported, [
    "dead letter 17 (counter/k -> counter/other add): not today; `npx voda ps --dead` lists it",
  ]);
});

test("a letter to a method that is not there any more, or that only reads, is a dead one at once", () => {
  const at = sending(send("a", "subtract"), send("b", "get"));
  at.settle();
  assert.deepEqual(
    at.buried.map(({ failure }) => failure.reason),
    ["method_not_found", "bad_request"],
  );
  assert.equal(at.ran.length, 1);
});

test("a letter that is not answered by its deadline goes again", () => {
  const at = sending(send("other"));
  at.timers.pass(1_000 + 30_000);
  at.timers.pass(200);
  at.settle();
  const ids = at.ran.slice(1).map(({ head }) => head.id?.type === "sent" && head.id.n);
  assert.deepEqual(ids, [1]);
  assert.deepEqual(at.buried, []);
});

test("a turn may send to handlers that are there and write, also to internal ones", () => {
  const at = sending();
  const { activation } = at;
  for (const [askId, method] of ["add", "audit", "get", "none"].entries())
    at.hear({ type: "check", activation, askId, agent: "counter", method });
  assert.deepEqual(
    at.replies.map(([, askId, answer]) => [askId, answer.ok ? "ok" : answer.failure.reason]),
    [
      [0, "ok"],
      [1, "ok"],
      [2, "bad_request"],
      [3, "method_not_found"],
    ],
  );
  const [, , refusal] = at.replies.at(-1) ?? [];
  assert.ok(refusal !== undefined && !refusal.ok);
  assert.match(
    refusal.failure.message,
    /it has: add, now, slow, get, and internal ones \(npx voda agents ls/,
  );
});

test("what a thread cannot have done is no concern of the others: their letters are over as before", () => {
  const at = sending(send("other"), send("other"));
  const { number: call } = at.ran[1]?.head ?? assert.fail("nothing ran");
  const activation = at.opened[1]?.activation ?? 0;
  assert.throws(
    () => at.hear({ type: "read", activation, call, after: 7, answer: new Uint8Array(0) }),
    ThreadFault,
  );
  end(at, 1);
  assert.equal(at.ran.length, 3, "the next one goes");
});
