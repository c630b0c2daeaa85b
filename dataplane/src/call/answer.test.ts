import assert from "node:assert/strict";
import { test } from "node:test";
import { FrameError } from "../frame/index.ts";
import { type Answer, decodeAnswer, decodeAnswerMeta, encodeAnswer, fail } from "./answer.ts";

test("an answer reads back as it was written", () => {
  const answers: Answer[] = [
    { ok: true, content: "json", body: new Uint8Array(0) },
    { ok: true, content: "json", body: Uint8Array.of(1, 2) },
    { ok: true, content: "proto", body: Uint8Array.of(0) },
    fail("queue_full", "later", { retryAfterMs: 100, metadata: { a: "b" } }),
  ];
  for (const answer of answers) assert.deepEqual(decodeAnswer(encodeAnswer(answer)), answer);
});

test("bytes of no kind, and none, are refused", () => {
  for (const bytes of [[], [3], [255, 0], [2], [2, 9]])
    assert.throws(() => decodeAnswer(Uint8Array.from(bytes)), FrameError);
});

test("an entry beside an answer that nobody knows is refused, not skipped", () => {
  assert.throws(() => decodeAnswerMeta(Uint8Array.of(99, 0)), /unknown meta entry 99/);
});
