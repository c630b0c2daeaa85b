import assert from "node:assert/strict";
import { test } from "node:test";
import { didYouMean } from "./near.ts";

test("the name that was meant is the nearest one, and none is guessed from afar", () => {
  const known = ["counter", "cart", "chat", "map"];
  const guesses = [
    ["cuonter", " (did you mean counter?)"],
    ["Counters", " (did you mean counter?)"],
    ["car", " (did you mean cart?)"],
    ["mpa", " (did you mean map?)"],
    ["pma", ""],
    ["queue", ""],
    ["", ""],
  ] as const;
  for (const [written, guess] of guesses) assert.equal(didYouMean(written, known), guess, written);
});
