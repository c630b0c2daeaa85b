import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { hash16 } from "./hash16.ts";

test("a hash has the first 16 bytes of SHA-256, of bytes and of text", () => {
  for (let seed = 0; seed < 64; seed += 1) {
    const text = `input ${seed}\0é`;
    const wanted = Uint8Array.from(createHash("sha256").update(text).digest().subarray(0, 16));
    assert.deepEqual(hash16(text), wanted);
    assert.deepEqual(hash16(new TextEncoder().encode(text)), wanted);
  }
});
