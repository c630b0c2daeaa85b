import assert from "node:assert/strict";
import { test } from "node:test";
import { cronCharsMax, everyMsMin, timerIdCharsMax, timerMsMax, turnBytesMax } from "@voda/proto/wire";
import { DecodeError } from "@voda/stdx";
import { decodeSends, encodeSends, type KeptDue, type Send, turnSendsMax } from "./send.ts";

const target = { agent: "sink", key: "k", method: "take", body: new Uint8Array(3) };
const timer = (due: KeptDue, id = "a"): Send => ({ ...target, timing: { id, due } });
const cron = (pattern: string, zone = "UTC"): Send => timer({ type: "cron", firstMs: 5, pattern, zone });

test("what may be sent is read as it was written", () => {
  const sends = [
    target,
    timer({ type: "in", ms: timerMsMax }, "a".repeat(timerIdCharsMax)),
    timer({ type: "at", ms: 8.64e15 }),
    timer({ type: "every", ms: everyMsMin }),
    cron(`0 9 * *${" ".repeat(cronCharsMax - 8)}1`, "Europe/Berlin"),
    { agent: "", key: "", method: "", body: new Uint8Array(0), timing: { id: "a", due: { type: "never" } } },
  ] as const;
  assert.deepEqual(decodeSends(encodeSends(sends)), sends);
});

for (const [what, sends, words] of [
  ["too many", Array.from({ length: turnSendsMax + 1 }, () => target), /1025 exceeds turnSendsMax 1024/],
  ["too many bytes", [{ ...target, body: new Uint8Array(turnBytesMax) }], /exceeds turnBytesMax 1048576/],
  ["no agent", [{ ...target, agent: "Sink" }], /agent "Sink" is not a name/],
  ["no key", [{ ...target, key: "" }], /the key is empty/],
  ["a long method", [{ ...target, method: "m".repeat(129) }], /129 exceeds methodBytesMax 128/],
  ["a long id", [timer({ type: "in", ms: 0 }, "a".repeat(timerIdCharsMax + 1))], /timerIdCharsMax 128/],
  ["a cancelled one with a long id", [timer({ type: "never" }, "a".repeat(129))], /timerIdCharsMax 128/],
  ["too late", [timer({ type: "in", ms: 2 ** 53 - 2 })], /exceeds timerMsMax/],
  ["beyond all dates", [timer({ type: "at", ms: 8.64e15 + 1 })], /exceeds dateMsMax/],
  ["at once for ever", [timer({ type: "every", ms: 0 })], /every 0 ms, less than everyMsMin 1000/],
  ["never again", [timer({ type: "every", ms: timerMsMax + 1 })], /exceeds timerMsMax/],
  ["a long zone", [cron("0 9 * * *", "Z".repeat(cronCharsMax + 1))], /129 exceeds cronCharsMax 128/],
  ["a long pattern", [cron(" ".repeat(cronCharsMax + 1))], /129 exceeds cronCharsMax 128/],
] satisfies [string, readonly Send[], RegExp][])
  test(`what a thread cannot have checked is refused: ${what}`, () => {
    const bytes = encodeSends(sends);
    assert.throws(
      () => decodeSends(bytes),
      (error) => error instanceof DecodeError && words.test(error.message),
    );
  });
