import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import { pageBytesMax } from "@voda/proto/wire";
import { CorruptError, openState, SchemaError, type SessionState } from "./index.ts";

const tools = { crc32 };
const narrow = { n: { kind: "counter" } } as const;
const wide = {
  n: { kind: "counter" },
  reg: { kind: "register", initial: 0 },
  items: { kind: "map" },
  notes: { kind: "text" },
} as const;

function fill(live: SessionState<typeof wide>, entries: number): void {
  const tx = live.begin();
  tx.state.n.add(1);
  tx.state.reg = { deep: "x".repeat(200_000) };
  for (let i = 0; i < entries; i += 1) tx.state.items.set(`key-${i}`, `value ${i} `.repeat(10));
  tx.state.items.set("key-5", "y".repeat(150_000));
  tx.state.notes.append("z".repeat(100_000));
  tx.commit(1, Number.MAX_SAFE_INTEGER);
}

function read(live: SessionState<typeof wide>): unknown {
  const { state } = live.view();
  return [state.n.value, state.reg, [...state.items], String(state.notes)];
}

test("a session of many pages comes back equal, every page within its bound", () => {
  const live = openState(wide, tools);
  fill(live, 5000);
  const pages = live.snapshot();
  for (const page of pages) assert.ok(page.length <= pageBytesMax, `page of ${page.length}`);
  assert.ok(pages.length > 10);
  const loaded = openState(wide, tools, pages);
  assert.equal(loaded.seq, 1);
  assert.deepEqual(read(loaded), read(live));
  assert.deepEqual(loaded.snapshot(), pages);
});

test("many small fields share pages within the bound", () => {
  const registers: { [name: string]: { kind: "register"; initial: null } } = {};
  for (let i = 0; i < 200; i += 1) registers[`field-${i}`] = { kind: "register", initial: null };
  const live = openState(registers, tools);
  const tx = live.begin();
  for (const name of Object.keys(registers)) tx.state[name] = name.repeat(120);
  tx.commit(1);
  const pages = live.snapshot();
  assert.ok(pages.length > 3 && pages.length < 8, `${pages.length} pages`);
  for (const page of pages) assert.ok(page.length <= pageBytesMax, `page of ${page.length}`);
  const { state } = openState(registers, tools, pages).view();
  for (const name of Object.keys(registers)) assert.equal(state[name], name.repeat(120));
});

test("entries around the size of a page come back in their order", () => {
  for (const size of [
    pageBytesMax - 600,
    pageBytesMax - 500,
    pageBytesMax,
    pageBytesMax + 400,
    2 * pageBytesMax,
  ]) {
    const live = openState(wide, tools);
    const tx = live.begin();
    for (const key of ["a", "b", "c"]) tx.state.items.set(key, key.repeat(size));
    tx.commit(1);
    assert.deepEqual(read(openState(wide, tools, live.snapshot())), read(live));
  }
});

test("a small change leaves most pages as they were", () => {
  const live = openState(wide, tools);
  fill(live, 5000);
  const before = new Set(live.snapshot().map(hex));
  const tx = live.begin();
  tx.state.n.add(1);
  tx.state.items.set("key-2500a", "z".repeat(3000));
  tx.commit(1);
  const changed = live.snapshot().filter((page) => !before.has(hex(page)));
  // The head, the page of the counter and of other small pieces, the pages around the entry.
  assert.ok(changed.length <= 4, `${changed.length} pages changed`);
});

test("fields that a revision does not have survive its snapshots and deltas", () => {
  const live = openState(wide, tools);
  fill(live, 1000);
  const before = live.snapshot();
  const tx = live.begin();
  tx.state.items.set("late", 1);
  tx.state.notes.append("late");
  tx.state.n.add(5);
  const delta = tx.commit(2);
  assert.ok(delta);
  const other = openState(narrow, tools, before);
  other.apply(delta);
  assert.equal(other.view().state.n.value, 6);
  const again = openState(narrow, tools, other.snapshot());
  assert.deepEqual(read(openState(wide, tools, again.snapshot())), read(live));
});

test("a field whose kind changed is a schema error, in pages and in deltas", () => {
  const live = openState(wide, tools);
  const tx = live.begin();
  tx.state.n.add(1);
  const delta = tx.commit(1);
  assert.ok(delta);
  const changed = { n: { kind: "map" } } as const;
  const message = /field n is a map in this revision and a counter in the session/;
  assert.throws(() => openState(changed, tools, live.snapshot()), { name: "SchemaError", message });
  const empty = openState(changed, tools);
  assert.throws(() => empty.apply(delta), { name: "SchemaError", message });
  assert.equal(empty.seq, 0);
});

test("a schema with an empty or endless name is refused", () => {
  for (const name of ["", "x".repeat(129)])
    assert.throws(() => openState({ [name]: { kind: "counter" } }, tools), SchemaError);
});

test("pages that do not belong together are refused", () => {
  const live = openState(wide, tools);
  fill(live, 1000);
  const pages = live.snapshot();
  const tx = live.begin();
  tx.state.n.add(1);
  tx.commit(1);
  const later = live.snapshot();
  assert.equal(later.length, pages.length);
  assert.throws(() => openState(wide, tools, pages.slice(0, -1)), CorruptError);
  assert.throws(() => openState(wide, tools, [...later.slice(0, 1), ...pages.slice(1)]), CorruptError);
  assert.throws(() => openState(wide, tools, []), /without pages/);
});

test("a delta that is not the next one is refused", () => {
  const live = openState(narrow, tools);
  const deltas = [1, 2].map((amount) => {
    const tx = live.begin();
    tx.state.n.add(amount);
    return tx.commit(1) ?? assert.fail("no delta");
  });
  const other = openState(narrow, tools);
  const [first, second] = deltas;
  assert.ok(first && second);
  assert.throws(() => other.apply(second), {
    name: "CorruptError",
    message: "transaction 2 where 1 must follow",
  });
  other.apply(first);
  assert.throws(() => other.apply(first), CorruptError);
  other.apply(second);
  assert.equal(other.view().state.n.value, 3);
});

test("operations that do not decode are refused before any field changes", () => {
  const live = openState(wide, tools);
  const tx = live.begin();
  tx.state.n.add(1);
  tx.state.notes.append("a");
  tx.state.items.set("ka", 1);
  tx.state.items.set("kb", 1);
  const delta = tx.commit(1);
  assert.ok(delta);
  const sameKey = Buffer.from(delta);
  sameKey.write("ka", sameKey.indexOf("kb"));
  const cut = Buffer.from(delta);
  cut.fill(0xff, cut.indexOf("notes") + 7);
  const twice = Buffer.from(delta);
  twice[18] = 4;
  for (const [bytes, message] of [
    [sameKey, /a key is written twice/],
    [cut, /not an update of a text/],
    [Buffer.concat([twice, twice.subarray(19, 25)]), /changed twice/],
  ] as const) {
    const other = openState(wide, tools);
    assert.throws(() => other.apply(sealAgain(bytes)), { name: "DecodeError", message });
    assert.deepEqual(other.snapshot(), openState(wide, tools).snapshot());
    other.apply(delta);
  }
});

test("the estimate of memory grows and shrinks with the state", () => {
  const live = openState(wide, tools);
  const empty = live.bytes;
  fill(live, 1000);
  const full = live.bytes;
  assert.ok(full > empty + 400_000, `${full}`);
  const tx = live.begin();
  for (const key of tx.state.items.keys()) tx.state.items.delete(key);
  tx.state.reg = 0;
  tx.commit(1);
  assert.ok(live.bytes < full - 300_000, `${live.bytes}`);
});

function sealAgain(bytes: Buffer): Uint8Array {
  bytes.writeUInt32LE(bytes.length - 16, 8);
  bytes.writeUInt32LE(0, 12);
  bytes.writeUInt32LE(crc32(bytes), 12);
  return bytes;
}

function hex(page: Uint8Array): string {
  return Buffer.from(page).toString("hex");
}
