import assert from "node:assert/strict";
import { test } from "node:test";
import {
  FrameCursor,
  FrameError,
  type FrameFields,
  frameBytesMin,
  frameLength,
  frameMemory,
  writeFrame,
} from "./frame.ts";

const empty: FrameFields = {
  kind: 1,
  flags: 2,
  code: 3,
  processId: 8,
  call: 4,
  activation: 5,
  turn: 6,
  remainingMs: 7,
  life: new Uint8Array(16),
  subject: new Uint8Array(0),
  meta: new Uint8Array(0),
  payload: new Uint8Array(0),
};

test("the smallest frame has frameBytesMin bytes", () => {
  assert.equal(frameLength(0, 0, 0), frameBytesMin);
});

test("a frame that the memory cannot hold is not begun", () => {
  const memory = frameMemory(new Uint8Array(frameBytesMin));
  assert.throws(() => writeFrame(memory, 8, empty), /exceeds the memory/);
  assert.ok(memory.bytes.every((byte) => byte === 0));
});

test("a frame is read from shared memory", () => {
  const memory = frameMemory(new Uint8Array(new SharedArrayBuffer(256)));
  const length = writeFrame(memory, 16, { ...empty, subject: Uint8Array.of(1, 2, 3) });
  const cursor = new FrameCursor();
  cursor.open(memory, 16, length);
  assert.deepEqual([...cursor.subject()], [1, 2, 3]);
});

test("padding that is not zero is refused", () => {
  const memory = frameMemory(new Uint8Array(256));
  const length = writeFrame(memory, 0, { ...empty, subject: Uint8Array.of(1) });
  memory.bytes[98] = 9;
  assert.throws(() => new FrameCursor().open(memory, 0, length), FrameError);
});

test("a remaining time that is no number is refused on both sides", () => {
  const memory = frameMemory(new Uint8Array(256));
  assert.throws(() => writeFrame(memory, 0, { ...empty, remainingMs: Number.NaN }), RangeError);
  const length = writeFrame(memory, 0, empty);
  memory.view.setFloat64(56, Number.POSITIVE_INFINITY, true);
  assert.throws(() => new FrameCursor().open(memory, 0, length), FrameError);
});

test("numbers are not cut off at 2^32", () => {
  const memory = frameMemory(new Uint8Array(256));
  const cursor = new FrameCursor();
  for (let more = -3; more <= 3; more += 1) {
    const number = 2 ** 32 + more;
    const length = writeFrame(memory, 0, { ...empty, call: number, activation: number, turn: number });
    cursor.open(memory, 0, length);
    assert.deepEqual([cursor.call, cursor.activation, cursor.turn], [number, number, number]);
  }
});

test("a number that a frame cannot hold is refused where it is written", () => {
  const memory = frameMemory(new Uint8Array(256));
  for (const field of ["call", "activation", "turn"] as const)
    for (const value of [-1, 0.5, 2 ** 53, Number.NaN])
      assert.throws(() => writeFrame(memory, 0, { ...empty, [field]: value }), RangeError);
  assert.throws(() => writeFrame(memory, 0, { ...empty, processId: 2 ** 32 }), RangeError);
});
