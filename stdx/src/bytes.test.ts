import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteWriter } from "./bytes.ts";

test("what finish gave stays as it was, whatever is written after it", () => {
  const writer = new ByteWriter(16);
  const given: Uint8Array[] = [];
  for (let length = 0; length < 3_000; length += 7) {
    writer.raw(new Uint8Array(length).fill(length % 251));
    given.push(writer.finish());
  }
  for (const [i, bytes] of given.entries()) {
    assert.equal(bytes.length, 7 * i);
    assert.ok(
      bytes.every((byte) => byte === (7 * i) % 251),
      `the one of ${bytes.length} bytes`,
    );
  }
});
