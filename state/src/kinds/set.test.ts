import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import { ByteReader, DecodeError } from "@voda/stdx";
import { openState, RefusedValueError, setTextBytesMax, TooLargeError } from "../index.ts";
import { SetField } from "./set.ts";

const open = (pages?: readonly Uint8Array[]) => openState({ tags: { kind: "set" } }, { crc32 }, pages);

test("values are there once, each type for itself, and come in one order", () => {
  const live = open();
  const tx = live.begin();
  const { tags } = tx.state;
  for (const value of ["b", 10, "1", true, 9, null, "a", false, 1, -0]) assert.equal(tags.add(value), true);
  assert.equal(tags.add("a"), false);
  assert.equal(tags.add(0), false);
  assert.deepEqual([tags.has("10"), tags.has(10), tags.delete("10")], [false, true, false]);
  tx.commit(1);
  const view = live.view().state.tags;
  assert.deepEqual([...view], [null, false, true, 0, 1, 9, 10, "1", "a", "b"]);
  assert.equal(JSON.stringify({ view }), '{"view":[null,false,true,0,1,9,10,"1","a","b"]}');
  assert.equal(view.size, 10);
});

test("a set may be written while it is iterated", () => {
  const { tags } = open().begin().state;
  for (const value of ["a", "b", "c"]) tags.add(value);
  const seen = [];
  for (const value of tags) {
    seen.push(value);
    tags.delete("b");
    tags.add("new");
  }
  assert.deepEqual(seen, ["a", "c"]);
});

test("a value writes itself and one byte; one that is there, or goes as it came, writes nothing", () => {
  const live = open();
  const tx = live.begin();
  tx.state.tags.add("tea");
  const delta = Buffer.from(tx.commit(1) ?? []);
  assert.equal(delta.subarray(16).toString("hex"), "0101010474616773070701070374656103");
  const again = live.begin();
  again.state.tags.add("tea");
  again.state.tags.add("milk");
  again.state.tags.delete("milk");
  assert.equal(again.commit(1), undefined);
  const last = live.begin();
  last.state.tags.delete("tea");
  last.commit(1);
  assert.equal(live.snapshot().length, 1, "an empty one takes no page");
});

test("a small change of a large set leaves most pages as they were", () => {
  const live = open();
  for (let from = 0; from < 20_000; from += 10_000) {
    const tx = live.begin();
    for (let i = from; i < from + 10_000; i += 1) tx.state.tags.add(`value ${i}`);
    tx.commit(1);
  }
  const hex = (): string[] => live.snapshot().map((page) => Buffer.from(page).toString("hex"));
  const before = new Set(hex());
  const tx = live.begin();
  tx.state.tags.delete("value 12345");
  tx.commit(1);
  const changed = hex().filter((page) => !before.has(page));
  assert.ok(before.size > 10 && changed.length <= 3, `${changed.length} of ${before.size} pages`);
  assert.deepEqual([...open(live.snapshot()).view().state.tags], [...live.view().state.tags]);
});

test("what a set does not take is told by field, value and limit, and leaves the turn usable", () => {
  const live = open();
  const tx = live.begin();
  const { tags } = tx.state;
  const untyped = (value: unknown): never => value as never;
  tags.add("é".repeat(setTextBytesMax / 2));
  assert.throws(() => tags.add("é".repeat(setTextBytesMax / 2 + 1)), {
    name: "TooLargeError",
    message: "a value of state.tags of 1026 bytes exceeds setTextBytesMax 1024",
  });
  for (const [value, told] of [
    [undefined, "undefined; a set holds strings, numbers, booleans and null"],
    [{ a: 1 }, "an object; a set holds strings, numbers, booleans and null"],
    [["a"], "an array; a set holds strings, numbers, booleans and null"],
    [new Date(0), "an instance of Date; a set holds strings, numbers, booleans and null"],
    [1n, "a bigint; a set holds strings, numbers, booleans and null"],
    [Promise.resolve(1), "an instance of Promise; await it"],
    [Number.NaN, "NaN; Json numbers are finite"],
    ["\ud800", "a string with a lone surrogate; use well-formed Unicode"],
  ] as const)
    assert.throws(
      () => tags.add(untyped(value)),
      (error) => error instanceof RefusedValueError && error.message === `a value of state.tags is ${told}`,
      told,
    );
  assert.throws(() => Object.assign(tags, { size: 0 }), /^TypeError: state\.tags\.size is only read: call/);
  assert.throws(() => Object.assign(tx.state, { tags: [] }), /state\.tags is a set: it cannot be replaced/);
  assert.equal(tags.size, 1);
  tx.commit(1);
  const view = live.view().state as typeof tx.state;
  for (const act of [() => view.tags.add("x"), () => view.tags.delete("x")])
    assert.throws(act, /^TypeError: state\.tags cannot be written here: a view only reads$/);
  assert.throws(() => tags.has("x"), { name: "ClosedError" });
  const small = live.begin();
  small.state.tags.add("x".repeat(500));
  assert.throws(() => small.commit(1, 100), TooLargeError);
});

test("bytes that no set writes are refused", () => {
  const field = new SetField("tags", 0, { kind: "set" });
  const operations: readonly (readonly number[])[] = [
    [1, 8, 0, 3], // an array
    [1, 1, 1], // null is null
    [1, 10, 3], // an unknown tag
    [2, 1, 3, 1, 0], // null comes and goes
    [2, 1, 3], // two values, one is there
    [1, 0, 3], // no value
  ];
  for (const bytes of operations)
    assert.throws(() => field.decode(new ByteReader(Uint8Array.from(bytes))), DecodeError, String(bytes));
  for (const bytes of [[1, 3, 1, 3], [1, 0], [1, 2], [8, 0, 3], [1]])
    assert.throws(() => new SetField("tags", 0, { kind: "set" }).load(Uint8Array.from(bytes)), DecodeError);
});
