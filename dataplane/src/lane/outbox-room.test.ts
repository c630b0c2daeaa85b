import assert from "node:assert/strict";
import { test } from "node:test";
import { callOf, createRig, one, type Rig } from "../../test/lane-rig.ts";
import {
  outboxBytesMax,
  outboxMessagesMax,
  type Send,
  sendBytes,
  ThreadFault,
  timersMax,
  turnSendsMax,
} from "../call/index.ts";

type Due = NonNullable<Send["timing"]>["due"];

const send = (bytes: number): Send => ({ agent: "b", key: "k", method: "m", body: new Uint8Array(bytes) });
const timer = (id: number, due: Due, bytes = 0): Send => ({ ...send(bytes), timing: { id: `t${id}`, due } });
const much = Math.floor(outboxBytesMax / 4);
const later: Due = { type: "in", ms: 3_600_000 };

let call = 2;
/** A turn of its own, which the thread says took place. */
function turn(rig: Rig, sends: readonly Send[]) {
  rig.invoke(callOf((call += 1)));
  return rig.turned(call, 1, sends);
}
const many = (count: number, of: (i: number) => Send): Send[] =>
  Array.from({ length: count }, (_, i) => of(i));

test("bytes beyond the bound, of turns that are accepted or not, are the thread's fault and leave nothing", () => {
  const rig = createRig().owner();
  for (let at = 0; at < 4; at += 1) turn(rig, [send(much - sendBytes(send(0)))]);
  assert.doesNotThrow(() => turn(rig, [timer(1, { type: "never" })]), "what cancels takes no room");
  const { unaccepted, executed } = rig.activation.turns;
  assert.equal(unaccepted.bytes, 4 * much);
  assert.throws(() => turn(rig, [send(much)]), ThreadFault);
  assert.deepEqual([rig.activation.turns.unaccepted, rig.activation.turns.executed], [unaccepted, executed]);
});

test("so do messages and timers beyond theirs; timers that fire do not", () => {
  const messages = createRig().owner();
  const most = outboxMessagesMax + timersMax;
  for (let sent = 0; sent < most; sent += turnSendsMax)
    turn(
      messages,
      many(turnSendsMax, () => send(0)),
    );
  assert.throws(() => turn(messages, [send(0)]), /20481 messages, more than 20480/);
  const timers = createRig().owner();
  for (let set = 0; set < timersMax; set += turnSendsMax)
    turn(
      timers,
      many(turnSendsMax, (i) => timer(set + i, later)),
    );
  assert.throws(() => turn(timers, [timer(timersMax, later)]), /4097 timers, more than 4096/);
});

test("a timer that comes again counts its letter once", () => {
  const rig = createRig().owner();
  const again: Due = { type: "every", ms: 1_000 };
  const half = Math.floor(outboxBytesMax / 4 - 100);
  const set = turn(rig, [timer(1, again, half), timer(2, again, half)]);
  const rung = rig.feed({ type: "rung", token: one(set, "ring").token, seq: 5 });
  rig.accept(rung);
  const fired = rig.wait(1_000, "outbox");
  rig.accept(fired);
  assert.ok(rig.activation.outbox.bytes + rig.activation.timers.bytes > 1.4 * outboxBytesMax);
  assert.doesNotThrow(() => turn(rig, [send(0)]));
  assert.throws(() => turn(rig, [send(much)]), ThreadFault);
});
