import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteWriter } from "@voda/stdx";
import { FrameError } from "../frame/index.ts";
import { createNumbers } from "./call.ts";
import { readEntries, writeNumber, writeText } from "./entries.ts";

function written(write: (out: ByteWriter) => void): Uint8Array {
  const out = new ByteWriter();
  write(out);
  return out.finish();
}

test("what says nothing takes no bytes: the number 0 and an absent text, not an empty one", () => {
  const bytes = written((out) => {
    writeNumber(out, 1, 0);
    writeText(out, 2, undefined);
    writeNumber(out, 3, 300);
    writeText(out, 4, "");
  });
  assert.deepEqual([...bytes], [3, 0xac, 0x02, 4, 0]);
  const read: unknown[] = [];
  readEntries(bytes, (tag, input) => read.push(tag, tag === 3 ? input.varint() : input.text()) > 0);
  assert.deepEqual(read, [3, 300, 4, ""]);
});

test("entries that do not ascend, that nobody knows, or that are cut off are refused", () => {
  const anyNumber = (_: number, input: { varint(): number }): boolean => input.varint() >= 0;
  for (const bytes of [[2, 1, 1, 1], [1, 1, 1, 1], [0, 1], [1], [1, 0x80]])
    assert.throws(() => readEntries(Uint8Array.from(bytes), anyNumber), FrameError, String(bytes));
  assert.throws(() => readEntries(Uint8Array.of(1, 1), () => false), /unknown meta entry 1/);
});

test("the numbers of a process count from 1, or from where they are told to", () => {
  const numbers = createNumbers();
  assert.deepEqual([numbers(), numbers()], [1, 2]);
  assert.equal(createNumbers(7)(), 7);
});
