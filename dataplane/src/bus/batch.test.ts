import assert from "node:assert/strict";
import { test } from "node:test";
import { DecodeError } from "@voda/stdx";
import { draft, FrameError } from "../frame/index.ts";
import { decodeBatch, encodeBatch, fieldsLength } from "./batch.ts";

const sender = { node: "n1", processId: 2 ** 32 - 1 };
const frames = [
  draft({ kind: 1, call: 2 ** 40, meta: Uint8Array.of(1), payload: new Uint8Array(300).fill(7) }),
  draft({ kind: 3, call: 5, code: 2 }),
  draft({ kind: 2, call: 6, payload: Uint8Array.of(9, 8) }),
];

function read(bytes: Uint8Array) {
  const got: unknown[] = [];
  decodeBatch(bytes, (from, frame) => {
    got.push([from, frame.kind, frame.call, [...frame.metaCopy()], [...frame.payloadCopy()]]);
  });
  return got;
}

test("the frames of one tick come out in order, each with who sent it", () => {
  assert.deepEqual(
    read(encodeBatch(sender, frames)),
    frames.map(({ kind, call, meta, payload }) => [sender, kind, call, [...meta], [...payload]]),
  );
  assert.deepEqual(read(encodeBatch(sender, [])), []);
});

test("what a frame is said to take is what it takes", () => {
  const empty = encodeBatch(sender, []).length;
  for (const frame of frames)
    assert.equal(encodeBatch(sender, [frame]).length, empty + 4 + fieldsLength(frame));
});

test("a batch that is cut off, or of another version, is refused", () => {
  const whole = encodeBatch(sender, frames);
  const ends = new Set(
    [
      encodeBatch(sender, []),
      encodeBatch(sender, frames.slice(0, 1)),
      encodeBatch(sender, frames.slice(0, 2)),
    ].map(({ length }) => length),
  );
  for (let length = 0; length < whole.length; length += 1)
    if (!ends.has(length))
      assert.throws(
        () => read(whole.subarray(0, length)),
        (error) => error instanceof DecodeError || error instanceof FrameError,
        `${length} bytes`,
      );
  assert.throws(() => read(Uint8Array.of(1, ...whole.subarray(1))), /batch of version 1; known is 2/);
});
