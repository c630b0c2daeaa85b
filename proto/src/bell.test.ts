import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeBell, encodeBell } from "./bell.ts";
import { encodeNameRecord } from "./session.ts";

const name = { namespace: "default", agent: "counter", key: "a/b" };
const incarnation = "0f".repeat(16);

test("a bell says whose it is and when somebody must look", () => {
  const bell = { name, incarnation, dueMs: 1_790_000_000_000 };
  assert.deepEqual(decodeBell(encodeBell(bell)), bell);
});

test("one of a version before timers is due at once, and what is none is none", () => {
  const old = Uint8Array.of(...Uint8Array.fromHex(incarnation), ...encodeNameRecord(name));
  assert.deepEqual(decodeBell(old), { name, incarnation, dueMs: 0 });
  for (const bytes of [new Uint8Array(0), new Uint8Array(23), new Uint8Array(40)])
    assert.equal(decodeBell(bytes), undefined);
});
