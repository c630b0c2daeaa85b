import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { sessionToken } from "@voda/proto/session";
import { createAsleepTrims } from "./asleep-trims.ts";
import { pageHash } from "./pages.ts";

const token = sessionToken({ namespace: "default", agent: "a", key: "k" });
const bytesOf = (first: number): Uint8Array => Uint8Array.of(first);
const trim = { token, hash: pageHash(bytesOf(9)), below: 8, inMs: 300_000 };

/**
 * One trim of a session whose last record is `last` when its time has come; what was trimmed, after each
 * second.
 */
async function trimmedAfter(
  seconds: number,
  last: number | Error,
): Promise<{ trimmed: number[]; failed: number }> {
  mock.timers.enable({ apis: ["setInterval"] });
  let nowMs = 0;
  let failed = 0;
  const trimmed: number[] = [];
  const store = {
    async lastFromLeader() {
      if (last instanceof Error) throw last;
      return { seq: 9, atMs: 0, subject: "", bytes: bytesOf(last) };
    },
    async trim(_: unknown, below: number) {
      trimmed.push(below);
    },
  };
  const clock = { wallMs: () => 0, monotonicMs: () => nowMs };
  const trims = createAsleepTrims(store, clock, () => (failed += 1));
  trims.add(trim);
  for (let second = 0; second < seconds; second += 1) {
    nowMs += 1000;
    mock.timers.tick(1000);
    await new Promise((resolve) => setImmediate(resolve));
  }
  trims[Symbol.dispose]();
  mock.timers.reset();
  return { trimmed, failed };
}

test("the log of a session that still sleeps goes once its fold is old, and not before", async () => {
  assert.deepEqual(await trimmedAfter(299, 9), { trimmed: [], failed: 0 });
  assert.deepEqual(await trimmedAfter(310, 9), { trimmed: [8], failed: 0 });
});

test("a session that has woken since is left alone, and so is one of a store that does not answer", async () => {
  assert.deepEqual(await trimmedAfter(310, 12), { trimmed: [], failed: 0 });
  assert.deepEqual(await trimmedAfter(310, new Error("away")), { trimmed: [], failed: 1 });
});
