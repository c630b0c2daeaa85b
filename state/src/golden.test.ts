// Bytes that are in logs and snapshots already: they must stay readable, and the writer must go on writing
// them.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import { openState } from "./index.ts";

const schema = {
  profile: { kind: "register", initial: null },
  visits: { kind: "counter" },
  items: { kind: "map" },
  notes: { kind: "text" },
} as const;
const tools = { crc32 };

function golden(name: string, format = 2): Uint8Array[] {
  const text = readFileSync(new URL(`../testdata/format-${format}/${name}.hex`, import.meta.url), "utf8");
  return text
    .trim()
    .split("\n")
    .map((line) => Uint8Array.from(Buffer.from(line, "hex")));
}

/** Two transactions of two activations that use every kind of field and of value. */
function history() {
  const live = openState(schema, tools);
  const first = live.begin();
  first.state.profile = { name: "Ada", age: 36, score: -1.5, tags: [true, false, null, -7], "": {} };
  first.state.visits.add(300);
  first.state.items.set("a", 1);
  first.state.items.set("b", "🌊");
  first.state.notes.append("hello 🌊 world");
  const deltas = [first.commit(1)];
  const second = live.begin();
  second.state.visits.add(-1000);
  second.state.items.delete("a");
  second.state.notes.delete(0, 6);
  second.state.notes.insert(2, "!");
  deltas.push(second.commit(2));
  return { live, deltas };
}

const lines = (all: readonly (Uint8Array | undefined)[]): string[] =>
  all.map((bytes) => Buffer.from(bytes ?? []).toString("hex"));

test("the same transactions give the golden deltas and pages", () => {
  const { live, deltas } = history();
  assert.deepEqual(lines(deltas), lines(golden("deltas")));
  assert.deepEqual(lines(live.snapshot()), lines(golden("pages")));
});

for (const format of [1, 2]) {
  test(`the golden deltas and pages of format ${format} give the same state`, () => {
    const replayed = openState(schema, tools);
    for (const delta of golden("deltas", format)) replayed.apply(delta);
    for (const live of [replayed, openState(schema, tools, golden("pages", format))]) {
      const { state } = live.view();
      assert.equal(live.seq, 2);
      assert.deepEqual(state.profile, {
        name: "Ada",
        age: 36,
        score: -1.5,
        tags: [true, false, null, -7],
        "": {},
      });
      assert.equal(state.visits.value, -700);
      assert.deepEqual([...state.items], [["b", "🌊"]]);
      assert.equal(String(state.notes), "🌊! world");
    }
  });
}

const list = { steps: { kind: "list" } } as const;

/** Items that come at both ends and between, move, change and go. */
function steps() {
  const live = openState(list, tools);
  const first = live.begin();
  for (const value of ["b", { c: 1 }, null]) first.state.steps.append(value);
  first.state.steps.insert(0, "a");
  first.state.steps.insert(2, -0.5);
  const deltas = [first.commit(1)];
  const second = live.begin();
  second.state.steps.move(0, 3);
  second.state.steps.set(0, "B");
  second.state.steps.delete(4);
  deltas.push(second.commit(2));
  return { live, deltas };
}

test("the same items of a list give its golden deltas and pages, and these the same items", () => {
  const { live, deltas } = steps();
  assert.deepEqual(lines(deltas), lines(golden("list-deltas")));
  assert.deepEqual(lines(live.snapshot()), lines(golden("list-pages")));
  const replayed = openState(list, tools);
  for (const delta of golden("list-deltas")) replayed.apply(delta);
  for (const one of [replayed, openState(list, tools, golden("list-pages"))])
    assert.deepEqual([...one.view().state.steps], ["B", -0.5, { c: 1 }, "a"]);
});

const set = { tags: { kind: "set" } } as const;

/** A value of each type, and one that goes again. */
function tags() {
  const live = openState(set, tools);
  const first = live.begin();
  for (const value of ["tea", "", 7, -0.5, true, null]) first.state.tags.add(value);
  const deltas = [first.commit(1)];
  const second = live.begin();
  second.state.tags.delete("tea");
  second.state.tags.add("🌊");
  deltas.push(second.commit(2));
  return { live, deltas };
}

test("the same values of a set give its golden deltas and pages, and these the same values", () => {
  const { live, deltas } = tags();
  assert.deepEqual(lines(deltas), lines(golden("set-deltas")));
  assert.deepEqual(lines(live.snapshot()), lines(golden("set-pages")));
  const replayed = openState(set, tools);
  for (const delta of golden("set-deltas")) replayed.apply(delta);
  for (const one of [replayed, openState(set, tools, golden("set-pages"))])
    assert.deepEqual([...one.view().state.tags], [null, true, -0.5, 7, "", "🌊"]);
});

const log = { chat: { kind: "log", keep: 4 } } as const;

/** A place that was redacted and one that is not kept. */
function chat() {
  const live = openState(log, tools);
  const deltas = [["first", { role: "user", text: "🌊" }, null], ["second"], [-1.5]].map((values, i) => {
    const tx = live.begin();
    for (const value of values) tx.state.chat.append(value);
    if (i === 2) tx.state.chat.redact(2);
    return tx.commit(1);
  });
  return { live, deltas };
}

test("the same entries of a log give its golden deltas and pages, and these the same entries", () => {
  const { live, deltas } = chat();
  assert.deepEqual(lines(deltas), lines(golden("log-deltas")));
  assert.deepEqual(lines(live.snapshot()), lines(golden("log-pages")));
  const replayed = openState(log, tools);
  for (const delta of golden("log-deltas")) replayed.apply(delta);
  for (const one of [replayed, openState(log, tools, golden("log-pages"))]) {
    const entries = [
      [1, { role: "user", text: "🌊" }],
      [3, "second"],
      [4, -1.5],
    ];
    assert.deepEqual([...one.view().state.chat.entries()], entries);
  }
});
