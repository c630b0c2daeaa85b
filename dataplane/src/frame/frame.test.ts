import assert from "node:assert/strict";
import { test } from "node:test";
import { sessionToken } from "@voda/proto/session";
import {
  FrameCursor,
  FrameError,
  type FrameFields,
  frameBytesMin,
  frameLength,
  frameMemory,
  writeFrame,
} from "./frame.ts";
import { packToken, unpackToken } from "./token.ts";

const empty: FrameFields = {
  kind: 1,
  flags: 2,
  code: 3,
  call: 4,
  activation: 5,
  turn: 6,
  deadlineMs: 7,
  token: new Uint8Array(16),
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
  memory.bytes[82] = 9;
  assert.throws(() => new FrameCursor().open(memory, 0, length), FrameError);
});

test("a deadline that is no number is refused on both sides", () => {
  const memory = frameMemory(new Uint8Array(256));
  assert.throws(() => writeFrame(memory, 0, { ...empty, deadlineMs: Number.NaN }), RangeError);
  const length = writeFrame(memory, 0, empty);
  memory.view.setFloat64(40, Number.POSITIVE_INFINITY, true);
  assert.throws(() => new FrameCursor().open(memory, 0, length), FrameError);
});

test("a session token is packed into 16 bytes and back", () => {
  for (let i = 0; i < 200; i += 1) {
    const token = sessionToken({ namespace: "default", agent: "counter", key: `k${i}` });
    assert.equal(packToken(token).length, 16);
    assert.equal(unpackToken(packToken(token)), token);
  }
  assert.throws(() => unpackToken(new Uint8Array(15)), FrameError);
});
