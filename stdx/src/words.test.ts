import assert from "node:assert/strict";
import { test } from "node:test";
import { oneLine, withWords, wordsOf } from "./words.ts";

const refused = Object.assign(new Error("connect ECONNREFUSED 127.0.0.1:1"), { code: "ECONNREFUSED" });
const bare = (name: string, code?: string): Error =>
  Object.assign(new Error(""), { name }, code !== undefined && { code });

test("an error is told with what caused it, and never without words", () => {
  const cases: readonly (readonly [unknown, string])[] = [
    [new Error("the store is away"), "the store is away"],
    [new TypeError("fetch failed", { cause: refused }), "fetch failed: connect ECONNREFUSED 127.0.0.1:1"],
    [new AggregateError([refused]), "connect ECONNREFUSED 127.0.0.1:1"],
    [
      new TypeError("fetch failed", { cause: new AggregateError([refused]) }),
      `fetch failed: ${refused.message}`,
    ],
    [new AggregateError([]), "AggregateError"],
    [new AggregateError([refused], "all refused"), `all refused: ${refused.message}`],
    [new Error("", { cause: refused }), refused.message],
    [new Error("outer", { cause: null }), "outer"],
    [new Error(""), "Error"],
    [bare(""), "a value that has no text"],
    ["", "an empty text"],
    [Object.create(null), "a value that has no text"],
    [new Error("outer", { cause: Object.create(null) }), "outer: a value that has no text"],
    [bare("TimeoutError"), "TimeoutError"],
    [bare("Error", "ETIMEDOUT"), "ETIMEDOUT"],
    [new Error("a: b", { cause: new Error("b") }), "a: b"],
    ["gone", "gone"],
    [undefined, "undefined"],
  ];
  for (const [error, words] of cases) assert.equal(wordsOf(error), words);
  const own = new Error("own");
  own.cause = own;
  assert.equal(wordsOf(own), "own");
});

test("the text of what throws when it is looked at is told too", () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  const spoilt = Object.defineProperty(new Error("own"), "message", {
    get: () => assert.fail("nobody may look"),
  });
  for (const one of [proxy, spoilt]) assert.equal(wordsOf(one), "a value that has no text");
});

test("a log has a message of whatever was thrown, and the fields of an error", () => {
  const serialize = withWords(({ name, message }) => ({ type: name, message }));
  assert.deepEqual(serialize(new AggregateError([refused])), {
    type: "AggregateError",
    message: refused.message,
  });
  assert.deepEqual(serialize("plain text"), { message: "plain text" });
});

test("words of many lines become one", () => {
  assert.equal(oneLine("\n  it is no JSON:\r\n  uuid,model\n"), "it is no JSON: uuid,model");
  assert.equal(oneLine("a\rb"), "a b");
  assert.equal(oneLine("a  b"), "a  b");
});
