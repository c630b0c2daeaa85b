import assert from "node:assert/strict";
import { test } from "node:test";
import { jsonDepthMax } from "@voda/proto/fields";
import { frozenJson, RefusedValueError } from "./index.ts";

class Point {
  readonly x = 1;
}

test("what is not Json is refused with its place and kind", () => {
  const cases: readonly (readonly [unknown, RegExp])[] = [
    [undefined, /^state\.a is undefined/],
    [Number.NaN, /^state\.a is NaN/],
    [Number.POSITIVE_INFINITY, /^state\.a is Infinity/],
    [() => 1, /^state\.a is a function/],
    [10n, /^state\.a is a bigint/],
    [Symbol("s"), /^state\.a is a symbol/],
    [Promise.resolve(1), /^state\.a is a promise; write what it gives: await it$/],
    [new Date(0), /^state\.a is an instance of Date/],
    [new Map(), /^state\.a is an instance of Map/],
    [new Point(), /^state\.a is an instance of Point/],
    ["\ud800", /^state\.a is a string with a lone surrogate/],
    [{ b: [1, { c: undefined }] }, /^state\.a\.b\[1\]\.c is undefined/],
    [new Array(1), /^state\.a\[0\] is undefined/],
    [{ "\udc00": 1 }, /^state\.a has a key with a lone surrogate/],
  ];
  for (const [value, message] of cases)
    assert.throws(
      () => frozenJson(value, "state.a"),
      (error) => error instanceof RefusedValueError && message.test(error.message),
    );
});

test("a message stays short, whatever names the value has", () => {
  const long = "😀".repeat(5000);
  let deep: unknown = Number.NaN;
  for (let i = 1; i < jsonDepthMax; i += 1) deep = { [long]: deep };
  assert.throws(
    () => frozenJson(deep, "state.a"),
    ({ message }: Error) =>
      message.isWellFormed() &&
      message.length < 300 &&
      /^state\.a\.😀.*\.\.\. \(\d+ characters\) is NaN/u.test(message),
  );
});

test("a value that holds itself is refused", () => {
  const loop: unknown[] = [];
  loop.push(loop);
  assert.throws(() => frozenJson(loop, "state.a"), RefusedValueError);
  assert.throws(() => frozenJson(loop, "state.a"), {
    name: "TypeError",
    message: new RegExp(`jsonDepthMax ${jsonDepthMax}`),
  });
});

test("a copy is frozen at every depth and apart from its source", () => {
  const source = { list: [{ name: "a" }] };
  const copy = frozenJson(source, "state.a");
  source.list.push({ name: "b" });
  assert.deepEqual(copy, { list: [{ name: "a" }] });
  for (const part of [copy, Object(copy).list, Object(copy).list[0]]) assert.ok(Object.isFrozen(part));
});

test("a key __proto__ is a key like any other", () => {
  const copy = frozenJson(JSON.parse('{"__proto__": {"x": 1}}'), "state.a");
  assert.equal(Object.getPrototypeOf(copy), Object.prototype);
  assert.equal(JSON.stringify(copy), '{"__proto__":{"x":1}}');
});
