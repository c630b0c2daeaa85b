// What may stand beside a topic's name, and what is told of everything else.
import assert from "node:assert/strict";
import { test } from "node:test";
import { topic } from "./index.ts";

test("what is no name and no options of a topic is refused in words", () => {
  const untyped = (value: unknown): never => value as never;
  for (const [name, words] of [
    [undefined, "topic is of type undefined, not a name"],
    [5, "topic is of type number, not a name"],
    ["News", 'topic "News" is not a name: 1 to 60 of a-z'],
    ["a".repeat(61), `topic "${"a".repeat(61)}" is not a name: 1 to 60 of a-z`],
  ] as const)
    assert.throws(
      () => topic(untyped(name)),
      (error: Error) =>
        error instanceof TypeError && (assert.ok(error.message.startsWith(words), error.message), true),
    );
  assert.equal(topic("a".repeat(60)).name.length, 60);
  for (const [options, words] of [
    [null, "options must be an object"],
    [5, "options must be an object"],
    [{ inputs: 1 }, 'option "inputs" is unknown (did you mean input?); known are input, access, description'],
    [{ timeout: "1s" }, 'option "timeout" is unknown; known are input, access, description'],
  ] as const)
    assert.throws(
      () => topic("news", untyped(options)),
      (error: Error) =>
        error instanceof TypeError && (assert.equal(error.message, `topic news: ${words}`), true),
    );
});
