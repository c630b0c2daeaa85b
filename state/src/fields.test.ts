import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import { jsonDepthMax } from "@voda/proto/fields";
import { ClosedError, mapKeyBytesMax, openState, RefusedValueError } from "./index.ts";

const schema = {
  profile: { kind: "register", initial: { name: "new" } },
  visits: { kind: "counter" },
  items: { kind: "map" },
  notes: { kind: "text" },
} as const;
const open = () => openState(schema, { crc32 });

test("a register has its initial value until the first write", () => {
  const live = open();
  const tx = live.begin();
  assert.deepEqual(tx.state.profile, { name: "new" });
  tx.state.profile = null;
  assert.equal(tx.state.profile, null);
  tx.commit(1);
  assert.equal(live.view().state.profile, null);
});

test("a value that was read or written cannot change the state from outside", () => {
  const live = open();
  const source = { name: "a", tags: ["x"] };
  const tx = live.begin();
  tx.state.profile = source;
  tx.state.items.set("k", source);
  source.tags.push("y");
  tx.commit(1);
  const { state } = live.view();
  assert.deepEqual(state.profile, { name: "a", tags: ["x"] });
  assert.deepEqual(state.items.get("k"), { name: "a", tags: ["x"] });
  assert.throws(() => Object.assign(Object(state.profile), { name: "z" }), TypeError);
});

test("a counter adds integers and gives the sum", () => {
  const { state } = open().begin();
  assert.equal(state.visits.add(), 1);
  assert.equal(state.visits.add(-3), -2);
  assert.equal(state.visits.value, -2);
});

test("a counter refuses what is no integer and what leaves the integers", () => {
  const live = open();
  const first = live.begin();
  first.state.visits.add(-Number.MAX_SAFE_INTEGER);
  first.commit(1);
  const { state } = live.begin();
  for (const amount of [0.5, Number.NaN, 2 ** 53, undefined as never])
    assert.throws(() => state.visits.add(amount), RefusedValueError);
  assert.throws(() => state.visits.add("2" as never), /state\.visits\.add\("2"\): the amount/);
  assert.throws(() => state.visits.add({} as never), /state\.visits\.add\(an object\): the amount/);
  assert.throws(() => state.visits.add(Promise.resolve(1) as never), /add\(a promise\): await it/);
  assert.throws(() => state.visits.add(-1), /state\.visits\.add\(-1\).* exceeds 9007199254740991/);
  state.visits.add(Number.MAX_SAFE_INTEGER);
  assert.throws(() => state.visits.add(1), RefusedValueError);
  assert.equal(state.visits.value, 0);
});

test("a map sets, updates, deletes and iterates in the order of its keys", () => {
  const live = open();
  const tx = live.begin();
  const { items } = tx.state;
  for (const key of ["b", "a", "c"]) items.set(key, key.toUpperCase());
  items.update("a", (old) => [old ?? null, "!"]);
  assert.equal(items.delete("b"), true);
  assert.equal(items.delete("b"), false);
  assert.equal(items.size, 2);
  tx.commit(1);
  const seen = live.view().state.items;
  const both = [
    ["a", ["A", "!"]],
    ["c", "C"],
  ];
  assert.deepEqual([...seen], both);
  assert.deepEqual(
    [[...seen.keys()], [...seen.values()]],
    [
      ["a", "c"],
      [["A", "!"], "C"],
    ],
  );
});

test("a map may be written while it is iterated", () => {
  const { state } = open().begin();
  for (const key of ["a", "b", "c"]) state.items.set(key, 1);
  for (const key of state.items.keys()) {
    state.items.delete(key);
    state.items.set(`${key}${key}`, 2);
  }
  assert.deepEqual([...state.items.keys()], ["aa", "bb", "cc"]);
});

test("a map refuses keys over the bound and keys that are no text", () => {
  const { state } = open().begin();
  state.items.set("é".repeat(mapKeyBytesMax / 2), 1);
  assert.throws(() => state.items.set("é".repeat(mapKeyBytesMax / 2 + 1), 1), {
    name: "TooLargeError",
    message: `state.items: key of ${mapKeyBytesMax + 2} bytes exceeds mapKeyBytesMax ${mapKeyBytesMax}`,
  });
  assert.throws(() => state.items.set("\ud800", 1), /lone surrogate/);
  assert.throws(() => state.items.set(Object(7), 1), /keys are strings/);
  assert.equal(state.items.size, 1);
});

test("a text inserts, deletes, appends and replaces by UTF-16 offsets", () => {
  const { state } = open().begin();
  state.notes.append("hello 🌊 world");
  state.notes.insert(0, "> ");
  state.notes.delete(8, 3);
  assert.equal(state.notes.replace("world", "voda"), true);
  assert.equal(state.notes.replace("moon", "sun"), false);
  assert.equal(String(state.notes), "> hello voda");
  assert.equal(state.notes.length, 12);
});

test("a text refuses offsets outside it, inside a surrogate pair, or no integers", () => {
  const { state } = open().begin();
  state.notes.append("a🌊b");
  for (const [at, count] of [
    [-1, 0],
    [0, 5],
    [5, 0],
    [2, 0],
    [0, 2],
    [2, 1],
  ] as const) {
    assert.throws(() => state.notes.delete(at, count), RefusedValueError, `${at} ${count}`);
  }
  for (const at of [Number.NaN, 0.5]) assert.throws(() => state.notes.insert(at, "x"), RefusedValueError);
  assert.throws(() => state.notes.insert(0, "\ud83c"), /lone surrogate/);
  assert.throws(() => state.notes.append(Object(7)), /must be a string/);
  assert.throws(() => state.notes.insert(9, "x"), {
    message: "state.notes: offset 9 and count 0 exceed its length 4",
  });
  assert.throws(() => state.notes.replace("", "x"), RefusedValueError);
  assert.equal(String(state.notes), "a🌊b");
});

test("a transaction is usable after refused values", () => {
  const live = open();
  const tx = live.begin();
  let deep: unknown = 1;
  for (let i = 0; i <= jsonDepthMax; i += 1) deep = [deep];
  assert.throws(() => Object.assign(tx.state, { profile: undefined }), /state\.profile is undefined/);
  assert.throws(() => Object.assign(tx.state, { profile: deep }), /jsonDepthMax 64/);
  tx.state.visits.add(1);
  tx.commit(1);
  assert.equal(live.view().state.visits.value, 1);
});

test("a field that is no register cannot be replaced, and no field can be added", () => {
  const { state } = open().begin();
  for (const field of ["visits", "items", "notes"])
    assert.throws(() => Object.assign(state, { [field]: 1 }), /cannot be replaced/);
  assert.throws(() => Object.assign(state, { vists: 1 }), /state\.vists is no field/);
});

test("every handle of a finished transaction refuses reads and writes", () => {
  for (const end of ["commit", "rollback"] as const) {
    const live = open();
    const tx = live.begin();
    const { state } = tx;
    const { visits, items, notes } = state;
    visits.add(1);
    items.set("a", 1);
    const entries = items[Symbol.iterator]();
    tx[end](1);
    const uses: readonly (() => unknown)[] = [
      () => visits.add(1),
      () => visits.value,
      () => items.set("a", 1),
      () => items.delete("a"),
      () => items.get("a"),
      () => items.size,
      () => entries.next(),
      () => notes.append("a"),
      () => notes.toString(),
      () => state.profile,
      () => state.visits,
      () => Object.assign(state, { profile: 1 }),
      () => tx.commit(1),
      () => tx.rollback(),
    ];
    for (const use of uses) assert.throws(use, ClosedError, String(use));
  }
});

test("a transaction over the bound leaves no trace and can still be rolled back", () => {
  const live = open();
  const before = live.snapshot();
  const tx = live.begin();
  tx.state.notes.append("x".repeat(600));
  tx.state.profile = "y".repeat(600);
  assert.throws(() => tx.commit(1, 1000), {
    name: "TooLargeError",
    message: /^what the turn changes takes \d+ bytes, 1000 are left of turnBytesMax 1048576: write less/,
  });
  tx.rollback();
  assert.deepEqual(live.snapshot(), before);
  const next = live.begin();
  next.state.visits.add(1);
  assert.ok(next.commit(1, 1000));
});

test("nothing changed is no delta", () => {
  const live = open();
  const first = live.begin();
  first.state.items.set("a", 1);
  first.commit(1);
  const tx = live.begin();
  tx.state.visits.add(1);
  tx.state.visits.add(-1);
  tx.state.items.set("a", 1);
  tx.state.items.set("b", 1);
  tx.state.items.delete("b");
  tx.state.notes.insert(0, "");
  assert.equal(tx.commit(1), undefined);
  assert.equal(live.seq, 1);
});

test("a delta whose text builds on missing edits ends the state: no half of it can be read", () => {
  const live = open();
  const deltas = ["a", "b"].map((text) => {
    const tx = live.begin();
    tx.state.visits.add(1);
    tx.state.notes.append(text);
    return tx.commit(1) ?? assert.fail("no delta");
  });
  // The second transaction, sealed again as the first.
  const forged = Buffer.from(deltas[1] ?? []);
  forged[17] = 1;
  forged.writeUInt32LE(0, 12);
  forged.writeUInt32LE(crc32(forged), 12);
  const other = open();
  const view = other.view();
  assert.throws(() => other.apply(forged), {
    name: "CorruptError",
    message: /builds on edits that are not there/,
  });
  for (const use of [
    () => other.begin(),
    () => other.view(),
    () => other.snapshot(),
    () => view.state.visits.value,
  ]) {
    assert.throws(use, { name: "CorruptError", message: /load the session again/ });
  }
});

test("a property that is set on a handle is refused: nothing would keep it", () => {
  const { state } = openState({ ...schema, views: { kind: "flag" } }, { crc32 }).begin();
  for (const handle of [state.visits, state.notes, state.views])
    assert.throws(() => Object.assign(handle, { foo: "x" }), /property foo, object is not extensible/);
});

test("what is only read and what is no key or text is told by its field", () => {
  const { state } = open().begin();
  assert.throws(
    () => Object.assign(state.visits, { value: 1 }),
    /^TypeError: state\.visits\.value is only read: add to it, as in state\.visits\.add\(1\)$/,
  );
  const untyped = (value: unknown): never => value as never;
  assert.throws(() => state.items.set(untyped(undefined), 1), /: the key is undefined; keys are strings$/);
  assert.throws(() => state.notes.append(untyped(7)), /: the text is a number; it must be a string$/);
});
