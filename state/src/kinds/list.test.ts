import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import { ByteReader, ByteWriter, DecodeError } from "@voda/stdx";
import { openState, RefusedValueError, type SessionState } from "../index.ts";
import { ListField } from "./list.ts";
import { isOrder } from "./list-order.ts";

const schema = { steps: { kind: "list" } } as const;
type S = typeof schema;
const open = (pages?: readonly Uint8Array[]): SessionState<S> => openState(schema, { crc32 }, pages);
type List = ReturnType<SessionState<S>["begin"]>["state"]["steps"];

function turn(live: SessionState<S>, act: (steps: List) => void): Uint8Array | undefined {
  const tx = live.begin();
  act(tx.state.steps);
  return tx.commit(1);
}

test("items are inserted, replaced, moved and deleted by their indexes", () => {
  const live = open();
  turn(live, (steps) => {
    steps.append("b");
    steps.insert(0, "a");
    steps.append("d");
    steps.insert(2, "c");
    steps.move(0, 3);
    steps.set(1, "C");
    assert.equal(steps.delete(2), "d");
  });
  const { steps } = live.view().state;
  assert.deepEqual([...steps], ["b", "C", "a"]);
  assert.deepEqual(
    [steps.length, steps.at(-1), steps.at(3), steps.slice(1)],
    [3, "a", undefined, ["C", "a"]],
  );
  assert.equal(JSON.stringify({ steps }), '{"steps":["b","C","a"]}');
});

test("a list may be written while it is iterated: it goes over what was there", () => {
  const { steps } = open().begin().state;
  for (const text of ["a", "b"]) steps.append(text);
  const seen = [];
  for (const text of steps) {
    seen.push(text);
    steps.append("new");
    steps.delete(0);
  }
  assert.deepEqual(seen, ["a", "b"]);
});

test("a write writes its item alone; a move not even its value", () => {
  const live = open();
  const large = "x".repeat(5_000);
  turn(live, (steps) => {
    for (let i = 0; i < 100; i += 1) steps.append(large);
  });
  const bytes = [
    turn(live, (steps) => steps.move(90, 3)),
    turn(live, (steps) => steps.insert(50, "in")),
    turn(live, (steps) => steps.set(7, "set")),
    turn(live, (steps) => void steps.delete(20)),
  ].map((delta) => delta?.length ?? 0);
  for (const length of bytes) assert.ok(length > 0 && length < 60, String(bytes));
  const nothing = turn(live, (steps) => {
    steps.append("comes and goes");
    steps.delete(100);
    steps.set(7, "set");
    steps.move(4, 4);
  });
  assert.equal(nothing, undefined);
});

test("3,000 insertions at one place write little each, and keep keys short", () => {
  const live = open();
  turn(live, (steps) => steps.append("pinned"));
  const replica = open(live.snapshot());
  let bytes = 0;
  for (let i = 0; i < 30; i += 1) {
    const delta =
      turn(live, (steps) => {
        for (let k = 0; k < 100; k += 1) steps.insert(1, i * 100 + k);
      }) ?? assert.fail("no delta");
    replica.apply(delta);
    bytes += delta.length;
  }
  assert.deepEqual(replica.snapshot(), live.snapshot(), "keys that are made anew are written");
  assert.ok(bytes < 3_000 * 40, `${bytes} bytes`);
  assert.ok(live.bytes < 3_000 * 110 + 60_000, `${live.bytes} bytes`);
  const { steps } = open(live.snapshot()).view().state;
  assert.deepEqual([steps.length, steps.at(0), steps.at(1), steps.at(-1)], [3_001, "pinned", 2_999, 0]);
});

test("a small change of a large list leaves most pages as they were", () => {
  const live = open();
  turn(live, (steps) => {
    for (let i = 0; i < 3_000; i += 1) steps.append(`item ${i} ${"x".repeat(100)}`);
  });
  const hex = (): string[] => live.snapshot().map((page) => Buffer.from(page).toString("hex"));
  const before = new Set(hex());
  turn(live, (steps) => steps.set(1_500, "new"));
  const changed = hex().filter((page) => !before.has(page));
  assert.ok(before.size > 10 && changed.length <= 3, `${changed.length} of ${before.size} pages`);
});

test("a record of a few items is replayed without a look at all others", () => {
  const [live, replica] = [open(), open()];
  const replay = (delta?: Uint8Array): void => replica.apply(delta ?? assert.fail("nothing was written"));
  replay(
    turn(live, (steps) => {
      for (let i = 0; i < 20_000; i += 1) steps.append(i);
    }),
  );
  const deltas = Array.from({ length: 400 }, (_, i) =>
    turn(live, (steps) => {
      steps.append(20_000 + i);
      steps.set(47 * i, "new");
      steps.move(3 * i, 50 * i);
      steps.delete(i);
    }),
  );
  const startedMs = performance.now();
  for (const delta of deltas) replay(delta);
  const tookMs = performance.now() - startedMs;
  assert.ok(tookMs < 500, `${tookMs} ms`);
  assert.deepEqual([...replica.view().state.steps], [...live.view().state.steps]);
});

test("what a list does not take is told by field, value and limit, and leaves the turn usable", () => {
  const live = open();
  const tx = live.begin();
  const { steps } = tx.state;
  const untyped = (value: unknown): never => value as never;
  assert.throws(() => steps.delete(0), { message: "state.steps.delete(0): the list is empty" });
  steps.append("first");
  for (const [act, told] of [
    [() => steps.append(untyped(undefined)), "state.steps[1] is undefined; a value must be Json"],
    [
      () => steps.set(0, "\ud800"),
      "state.steps[0] is a string with a lone surrogate; use well-formed Unicode",
    ],
    [() => steps.insert(2, "x"), "state.steps.insert(2): it must be 0 to 1"],
    [() => steps.insert(untyped("0"), "x"), 'state.steps.insert("0"): it must be an integer'],
    [() => steps.set(1, "x"), "state.steps.set(1): it must be 0 to 0"],
    [() => steps.set(-1, "x"), "state.steps.set(-1): it must be 0 to 0"],
    [() => steps.move(0, 1), "state.steps.move(0, 1): to must be 0 to 0"],
    [() => steps.delete(0.5), "state.steps.delete(0.5): it must be an integer"],
    [() => steps.at(untyped(null)), "state.steps.at(null): it must be an integer"],
    [() => steps.slice(0, Number.NaN), "state.steps.slice(NaN): it must be an integer"],
  ] as const)
    assert.throws(act, (error) => error instanceof RefusedValueError && error.message === told, told);
  assert.throws(
    () => Object.assign(steps, { length: 0 }),
    /^TypeError: state\.steps\.length is only read: call/,
  );
  assert.throws(
    () => Object.assign(tx.state, { steps: [] }),
    /state\.steps is a list: it cannot be replaced/,
  );
  tx.commit(1);
  const view = live.view().state as typeof tx.state;
  for (const write of [() => view.steps.append("x"), () => view.steps.delete(0), () => view.steps.move(0, 0)])
    assert.throws(write, /^TypeError: state\.steps cannot be written here: a view only reads$/);
  assert.deepEqual([...view.steps], ["first"]);
});

test("bytes that no list writes are refused", () => {
  const a0 = [2, 0x61, 0x30];
  const field = (): ListField => new ListField("steps", 0, { kind: "list" });
  const one = field();
  one.load(Uint8Array.from([1, ...a0, 1, 0, 2]));
  const operations: readonly (readonly number[])[] = [
    [1, 0], // an id that is given already would be given again
    [3, 1, 2, 3, ...a0, 1], // two items at one place
    [2, 1, 2, 3, 2, 0x61, 0x31, 1], // an id that was not given
    [3, 1, 2, 1, 2, 0x61, 0x31], // a new item without a value
    [3, 1, 2, 2, 1], // and one without a place
    [3, 1, 2, 0], // one goes that is not there
    [3, 1, 1, 4], // an unknown operation
    [3, 2, 1, 0, 1, 0], // an item twice
    [3, 1, 1, 1, 3, 0x61, 0x31, 0x30], // before a1 and a digit 0 there is no place
    [3, 1, 1, 1, 0], // no place
  ];
  for (const bytes of operations)
    assert.throws(() => one.decode(new ByteReader(Uint8Array.from(bytes))), DecodeError, String(bytes));
  for (const bytes of [
    [],
    [0],
    [1, ...a0, 1],
    [1, ...a0, 1, 1, 2, 0x61, 0x31, 1, 0, 2],
    [1, ...a0, 1, 0, 1],
    [0, 1, 0],
  ])
    assert.throws(() => field().load(Uint8Array.from(bytes)), DecodeError, String(bytes));
  const writer = new ByteWriter();
  one.encode(one.decode(new ByteReader(Uint8Array.from([3, 1, 1, 0]))), writer);
  assert.deepEqual([...writer.finish()], [3, 1, 1, 0]);
  for (const key of ["", "a", "b0", "a00", "0a", "a0 ", "é0"]) assert.equal(isOrder(key), false, key);
});
