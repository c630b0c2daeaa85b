import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeWord, encodeWord } from "./words.ts";

const words = [
  "",
  "add",
  "and",
  "a-d",
  "größe",
  "\ufeffadd",
  "λ".repeat(100),
  "x".repeat(5_000),
  "dda",
  "a\u0000d",
];

test("every word is the same after the way to bytes and back, however often and in whatever order", () => {
  for (let round = 0; round < 3; round += 1)
    for (const word of [...words, ...words.toReversed()]) assert.equal(decodeWord(encodeWord(word)), word);
});

test("a word in shared memory is read as it is now, and stays when the memory changes", () => {
  const shared = new Uint8Array(new SharedArrayBuffer(3));
  shared.set(encodeWord("add"));
  assert.equal(decodeWord(shared), "add");
  shared.set(encodeWord("abd")); // falls into the same slot
  assert.deepEqual([decodeWord(shared), decodeWord(encodeWord("add"))], ["abd", "add"]);
});

test("thousands of words are told apart", () => {
  for (let i = 0; i < 5_000; i += 1) assert.equal(decodeWord(encodeWord(`word-${i}`)), `word-${i}`);
});
