import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { draft, type FrameFields } from "../frame/index.ts";
import {
  AnswerWindow,
  answersAwayBytesMax,
  answersPatienceMs,
  answersWaitBytesMax,
} from "./answer-window.ts";
import { fieldsLength } from "./batch.ts";

const answerOf = (call: number, bytes: number): FrameFields =>
  draft({ call, payload: new Uint8Array(bytes) });
const half = answersAwayBytesMax / 2;

function openWindow(t: TestContext): { answers: AnswerWindow; left: number[] } {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const left: number[] = [];
  const answers = new AnswerWindow(({ call }) => void left.push(call));
  t.after(() => answers[Symbol.dispose]());
  return { answers, left };
}

test("answers leave while few bytes are on their way, and then in their order as they are taken", (t) => {
  const { answers, left } = openWindow(t);
  for (let call = 1; call <= 5; call += 1) answers.push(answerOf(call, half));
  answers.push(answerOf(6, 0));
  assert.deepEqual(left, [1], "with their heads two are more than may be");
  const headBytes = fieldsLength(answerOf(1, 0));
  answers.taken(2 * headBytes - 1);
  assert.deepEqual(left, [1], "one byte is too many");
  answers.taken(1);
  assert.deepEqual(left, [1, 2]);
  for (let taken = 0; taken < 4; taken += 1) answers.taken(headBytes + half);
  assert.deepEqual([left, answers.waitingBytes], [[1, 2, 3, 4, 5, 6], 0]);
});

test("one that is larger than all that may be on its way leaves, beside less than its peer tells of", (t) => {
  const { answers, left } = openWindow(t);
  answers.push(answerOf(1, 0));
  answers.push(answerOf(2, 2 * answersAwayBytesMax));
  answers.push(answerOf(3, 0));
  assert.deepEqual(left, [1, 2]);
  answers.taken(answersAwayBytesMax + 1_000);
  assert.deepEqual(left, [1, 2, 3]);
});

test("what wait has a bound, and calls have half of it", (t) => {
  const { answers } = openWindow(t);
  answers.push(answerOf(1, answersAwayBytesMax));
  answers.push(answerOf(2, answersWaitBytesMax / 2 - 1_000));
  assert.equal(answers.isBusy, false);
  answers.push(answerOf(3, 1_000));
  assert.equal(answers.isBusy, true);
  assert.equal(answers.hasRoom(answerOf(4, answersWaitBytesMax / 2 - 1_000)), true);
  assert.equal(answers.hasRoom(answerOf(4, answersWaitBytesMax / 2)), false);
});

test("a peer that says nothing has the next ones after a time", (t) => {
  const { answers, left } = openWindow(t);
  for (const call of [1, 2, 3]) answers.push(answerOf(call, answersAwayBytesMax));
  t.mock.timers.tick(answersPatienceMs - 1);
  assert.deepEqual(left, [1]);
  t.mock.timers.tick(1);
  assert.deepEqual(left, [1, 2]);
  t.mock.timers.tick(answersPatienceMs);
  assert.deepEqual([left, answers.waitingBytes], [[1, 2, 3], 0]);
});

test("what waits leaves when the connection is there again", (t) => {
  const { answers, left } = openWindow(t);
  for (const call of [1, 2]) answers.push(answerOf(call, answersAwayBytesMax));
  answers.hold(true);
  answers.push(answerOf(3, 0));
  t.mock.timers.tick(answersPatienceMs);
  assert.deepEqual(left, [1]);
  answers.hold(false);
  assert.deepEqual(left, [1, 2]);
  t.mock.timers.tick(answersPatienceMs);
  assert.deepEqual(left, [1, 2, 3]);
});

test("what waits at the end leaves all the same", (t) => {
  const { answers, left } = openWindow(t);
  for (const call of [1, 2, 3]) answers.push(answerOf(call, answersAwayBytesMax));
  answers.leaveAll();
  assert.deepEqual([left, answers.waitingBytes], [[1, 2, 3], 0]);
});
