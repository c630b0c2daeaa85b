import assert from "node:assert/strict";
import { test } from "node:test";
import { plainCall } from "../../test/call.ts";
import { reactorRig, reasonsOf } from "../../test/reactor-rig.ts";
import { type Answer, createNumbers, fail } from "../call/index.ts";
import { Inbox } from "./inbox.ts";

const { name, token } = plainCall(0, 0);

function rig() {
  const at = reactorRig();
  const inbox = new Inbox({ numbers: createNumbers(1), refusal: fail("draining", "not open") });
  const answers: Answer[] = [];
  const submit = (): void =>
    void inbox.submit(plainCall(7, at.timers.nowMs() + 1_000), (answer) => void answers.push(answer));
  const open = (): void => inbox.open(at.reactor);
  return { at, inbox, answers, submit, open };
}

test("before it is opened calls and orders are refused, and no session is there", async () => {
  const { inbox, answers, submit } = rig();
  submit();
  answers.push(await inbox.order("wake", name, 1_000, undefined));
  assert.deepEqual(reasonsOf(answers), ["draining", "draining"]);
  assert.deepEqual([inbox.epochOf(token), inbox.owned.size, inbox.holdLimit(7)], [0, 0, undefined]);
  assert.ok(inbox.hasRested(token, 1_000));
  await inbox.sleep(token);
  await inbox.retire([1]);
});

test("once opened it passes calls and orders on, and says what the sessions say", async () => {
  const { at, inbox, answers, submit, open } = rig();
  open();
  submit();
  assert.ok(!inbox.hasRested(token, 0));
  at.settle();
  at.turned(0, 1);
  at.settle();
  assert.deepEqual(reasonsOf(answers), ["ok"]);
  assert.deepEqual([inbox.epochOf(token), inbox.owned.size], [1, 1]);
  const ordered = inbox.order("end", name, at.timers.nowMs() + 1_000, undefined);
  at.settle();
  assert.ok((await ordered).ok);
  assert.ok(at.reactor.isEmpty);
});

test("from a drain on calls are refused, and what threads still say is heard", () => {
  const { at, inbox, answers, submit, open } = rig();
  open();
  submit();
  at.settle();
  void at.reactor.drain();
  submit();
  assert.deepEqual(reasonsOf(answers), ["closed"]);
  inbox.workerLost({
    activations: [at.activation],
    begun: { has: () => true, holder: 7, last: undefined },
    overdue: undefined,
    why: "it was lost",
  });
  assert.deepEqual(reasonsOf(answers), ["closed", "internal"]);
});
