import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeMark, encodeMark, isBehind, type Mark, mayReplace } from "./mark.ts";

const name = { namespace: "default", agent: "counter", key: "ä/b" };
const hashOf = (byte: number): Uint8Array => new Uint8Array(16).fill(byte);
const markOf = (seq: number, more: Partial<Mark> = {}): Mark => ({
  seq,
  n: 3,
  hash: hashOf(seq),
  isGone: false,
  isAccepted: false,
  ...more,
});
const row = (seq: number, byte = seq) => ({ seq, hash: hashOf(byte) });

test("a mark is read as it was written, at any place of a buffer", () => {
  for (const mark of [markOf(2 ** 40, { isGone: true }), markOf(7, { isAccepted: true }), markOf(1)]) {
    const bytes = encodeMark(mark, name);
    const inside = new Uint8Array(bytes.length + 5);
    inside.set(bytes, 5);
    assert.deepEqual(decodeMark(bytes), { mark, name });
    assert.deepEqual(decodeMark(inside.subarray(5)), { mark, name });
  }
});

test("bytes of another version, of no length or without a name are no mark", () => {
  const bytes = encodeMark(markOf(1), name);
  assert.equal(decodeMark(new Uint8Array(0)), undefined);
  assert.equal(decodeMark(Uint8Array.of(2, ...bytes.subarray(1))), undefined);
  assert.equal(decodeMark(bytes.subarray(0, 30)), undefined);
});

test("a lane is behind its mark when the marked record is not there, or is another", () => {
  assert.equal(isBehind(markOf(5), [row(5)]), false);
  assert.equal(isBehind(markOf(5), [row(3), row(5), row(9)]), false);
  assert.equal(isBehind(markOf(5), [row(7)]), false);
  assert.equal(isBehind(markOf(5), []), true);
  assert.equal(isBehind(markOf(5), [row(4)]), true);
  assert.equal(isBehind(markOf(5), [row(5, 6)]), true);
  assert.equal(isBehind(markOf(5), [row(3), row(9)]), true);
});

test("a tombstone may have gone by itself, but what was before it may not be back", () => {
  const gone = markOf(5, { isGone: true });
  assert.equal(isBehind(gone, []), false);
  assert.equal(isBehind(gone, [row(5)]), false);
  assert.equal(isBehind(gone, [row(8)]), false);
  assert.equal(isBehind(gone, [row(4)]), true);
});

test("a mark that comes late does not replace a later one, unless a loss was accepted", () => {
  assert.equal(mayReplace(markOf(6), markOf(5)), true);
  assert.equal(mayReplace(markOf(5), markOf(5)), false);
  assert.equal(mayReplace(markOf(4), markOf(5)), false);
  assert.equal(mayReplace(markOf(4), markOf(5, { isAccepted: true })), true);
});

test("a mark that somebody accepted stays until another record is marked", () => {
  const accepted = markOf(5, { isAccepted: true });
  assert.equal(mayReplace(markOf(5), accepted), false);
  assert.equal(mayReplace(markOf(5, { hash: hashOf(1) }), accepted), true);
  assert.equal(mayReplace(markOf(6), accepted), true);
});
