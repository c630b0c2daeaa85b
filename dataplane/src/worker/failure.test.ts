import assert from "node:assert/strict";
import { test } from "node:test";
import { jsonDepthMax } from "@voda/proto/fields";
import { frozenJson, RefusedValueError } from "@voda/state";
import { VodaError } from "voda";
import { decodeAnswer, type Failure } from "../call/index.ts";
import { encodeFailed, endingOf, noInput } from "./failure.ts";

const revoked = (): object => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
};
const throwing = (): never => {
  throw new Error("looked at");
};
const strange: readonly unknown[] = [
  revoked(),
  new Proxy({}, { get: throwing, has: throwing, getPrototypeOf: throwing }),
  Object.defineProperty(new Error("x"), "message", { get: throwing }),
  Object.defineProperty(new Error("x"), "stack", { get: throwing }),
  Object.defineProperty(new VodaError("not_found", "x"), "details", { get: throwing }),
  Object.create(null),
  undefined,
  null,
  Symbol("s"),
  () => 1,
  10n,
];

const logged = "the log of node n1 has it as request r-1";

/** As it arrives at the caller. */
function failureOf(error: unknown, input?: unknown): Failure {
  const answer = decodeAnswer(encodeFailed(endingOf(error, input, logged).answer));
  assert.ok(!answer.ok);
  return answer.failure;
}

test("whatever is thrown, the caller gets a failure without stack or path, and the log one line", () => {
  for (const error of strange) {
    const ending = endingOf(error, undefined, logged);
    assert.ok(ending.message.length > 0);
    const { code, message } = failureOf(error);
    assert.equal(code, "internal");
    assert.doesNotMatch(message, / at |\.ts|\//);
  }
});

test("an error thrown on purpose reaches the caller whole, whatever types it holds", () => {
  const details = JSON.parse('{ "number": 5, "nested": { "a": 1 }, "text": "t" }') as Record<string, string>;
  const error = new VodaError("not_found", "x".repeat(20_000), { reason: "no_item", details });
  const failure = failureOf(error);
  assert.equal(failure.message.length, 20_000);
  assert.deepEqual(failure.metadata, { number: "5", nested: "[object Object]", text: "t" });
});

test("a hint to retry that no error of voda has is left out", () => {
  for (const retryAfterMs of [-1, 86_400_001, 1e300, Number.NaN, Number.POSITIVE_INFINITY]) {
    const error = Object.assign(new VodaError("unavailable", "m"), { retryAfterMs });
    assert.deepEqual([failureOf(error).code, failureOf(error).retryAfterMs], ["unavailable", undefined]);
  }
});

test("the log has a text of every reason", () => {
  const error = Object.assign(new VodaError("not_found", "m"), { reason: 10n });
  const { facts } = endingOf(error, undefined, logged);
  assert.deepEqual({ ...facts, at: undefined }, { code: "not_found", reason: "10", at: undefined });
});

test("the log says that the handler threw it: a refusal of voda it is not", () => {
  const { level, message, facts } = endingOf(new VodaError("not_found", "need 5 coins"), undefined, logged);
  assert.deepEqual([level, message], ["info", "handler threw VodaError: need 5 coins"]);
  assert.ok("at" in facts);
});

test("a misspelt code is unknown to the caller, who gets the message; the log has the code", () => {
  const error = new VodaError("invalid_arg" as "invalid_argument", "amount is negative");
  const { code, message } = failureOf(error);
  assert.deepEqual([code, message], ["unknown", "amount is negative"]);
  assert.match(
    endingOf(error, undefined, logged).message,
    /has the code "invalid_arg".* Its message: amount is negative/,
  );
});

test("a value of the input that the state does not take is told to its sender", () => {
  const amount = new RefusedValueError('state.count.add("2"): the amount must be an integer within 2^53');
  const { code, reason, message } = failureOf(amount, "2");
  assert.deepEqual([code, reason], ["invalid_argument", "bad_request"]);
  assert.match(message, /must be an integer.*; the input was a string/);
  const absent = failureOf(
    new RefusedValueError("state.count.add(undefined): the amount must be an integer"),
  );
  assert.deepEqual(
    [absent.code, absent.message],
    ["invalid_argument", "state.count.add(undefined): the amount must be an integer; the input was absent"],
  );
  assert.equal(
    failureOf(amount, noInput).code,
    "internal",
    "where none is taken it is the handler's own value",
  );
  const words = new TypeError("state.count is a word of the handler's own");
  assert.equal(failureOf(words, "2").code, "internal", "the class decides, not the words");
});

test("a value that is nested too deep is told to its sender", () => {
  const deep: unknown = JSON.parse(`${"[".repeat(jsonDepthMax + 1)}${"]".repeat(jsonDepthMax + 1)}`);
  let refused: unknown;
  try {
    frozenJson(deep, "state.a");
  } catch (error) {
    refused = error;
  }
  const { code, message } = failureOf(refused, deep);
  assert.equal(code, "invalid_argument");
  assert.match(message, /nested deeper than jsonDepthMax 64.*; the input was an array of 1/);
});

test("a TypeError of the handler shows its caller what shape was sent, and no more", () => {
  const shapes: readonly [unknown, string][] = [
    [undefined, "absent"],
    [null, "null"],
    [[1, 2], "an array of 2"],
    [{ sku: 1, count: 2 }, "an object with sku, count"],
    ["x", "a string"],
  ];
  for (const [input, shape] of shapes)
    assert.equal(
      failureOf(new TypeError("Cannot read properties of undefined (reading 'secret')"), input).message,
      `the handler threw a TypeError; ${logged}; the input was ${shape}`,
    );
  assert.equal(failureOf(new TypeError("x"), noInput).message, `the handler threw a TypeError; ${logged}`);
});

test("what is thrown and is no error is told by its type", () => {
  for (const [value, type] of [
    ["text", "string"],
    [undefined, "undefined"],
    [{ status: 1 }, "object"],
  ] as const)
    assert.equal(
      failureOf(value).message,
      `the handler threw a value of type ${type}, not an Error; ${logged}`,
    );
});

test("a write to a frozen value is told with what to write in its place", () => {
  const tags: unknown[] = [];
  Object.freeze(tags);
  let thrown: unknown;
  try {
    tags.push("x");
  } catch (error) {
    thrown = error;
  }
  assert.match(
    endingOf(thrown, undefined, logged).message,
    /; what ctx\.state gives is frozen: assign a register anew, .*, and write to other fields by their methods/,
  );
});
