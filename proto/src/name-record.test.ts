import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeNameRecord, encodeNameRecord } from "./session.ts";

test("a name record gives back the name that it was made of", () => {
  const name = { namespace: "default", agent: "cart", key: 'user "7" / ä' };
  assert.deepEqual(decodeNameRecord(encodeNameRecord(name)), name);
});

test("bytes that are no name record are told apart", () => {
  for (const text of [
    "",
    "{}",
    '["default","cart"]',
    '["default","cart",7]',
    '["default","Cart","k"]',
    '["default","cart",""]',
  ]) {
    assert.equal(decodeNameRecord(new TextEncoder().encode(text)), undefined, text);
  }
});
