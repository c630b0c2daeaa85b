import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { crc32 } from "node:zlib";
import { openState } from "./index.ts";

const schema = {
  title: { kind: "register", initial: "new" },
  visits: { kind: "counter" },
  items: { kind: "map" },
  notes: { kind: "text" },
} as const;

function filled() {
  const live = openState(schema, { crc32 });
  const tx = live.begin();
  tx.state.title = "old";
  tx.state.visits.add(3);
  tx.state.items.set("b", { n: [1] });
  tx.state.items.set("__proto__", 2);
  tx.state.notes.append("hello");
  return { live, tx, state: tx.state };
}
const expected = '{"title":"old","visits":3,"items":{"__proto__":2,"b":{"n":[1]}},"notes":"hello"}';

test("the state, a spread of it and every handle give their values as JSON", () => {
  const { live, tx, state } = filled();
  assert.equal(JSON.stringify(state), expected);
  assert.equal(JSON.stringify({ ...state }), expected);
  assert.equal(
    JSON.stringify({ deep: [state.visits, state.items, state.notes] }),
    `{"deep":[3,{"__proto__":2,"b":{"n":[1]}},"hello"]}`,
  );
  tx.commit(1);
  const view = live.view();
  assert.equal(JSON.stringify(view.state), expected);
  view.close();
  assert.throws(() => JSON.stringify(view.state), /the view is closed/);
});

test("the state has its fields as properties, and nothing else can become one", () => {
  const { state } = filled();
  assert.deepEqual(Object.keys(state), ["title", "visits", "items", "notes"]);
  assert.ok("title" in state && !("other" in state));
  assert.throws(
    () => Reflect.get(state, "titel"),
    /^TypeError: state\.titel is no field; the schema has title, /,
  );
  assert.throws(
    () => Object.assign(state, { other: 1 }),
    /state\.other is no field; the schema has title, visits/,
  );
  assert.throws(() => Object.assign(state, { visits: 1 }), /state\.visits is a counter/);
  assert.throws(() => Object.defineProperty(state, "title", { value: 1 }), TypeError);
  assert.throws(
    () => Reflect.deleteProperty(state, "title"),
    /^TypeError: state\.title is a field: it stays/,
  );
  assert.throws(() => Reflect.deleteProperty(state, "titel"), /^TypeError: state\.titel is no field/);
  assert.throws(() => Object.freeze(state), TypeError);
  assert.equal(state.title, "old");
});

test("a map that is spread or asked for its properties says how to get at its keys", () => {
  const { state } = filled();
  const says =
    /^TypeError: state\.items is a map: its keys are no properties; take them from state\.items\.toJSON\(\)/;
  for (const use of [
    () => Object.assign({}, state.items), // as `{ ...state.items }` does
    () => Object.keys(state.items),
    () => Object.entries(state.items),
  ])
    assert.throws(use, says);
  assert.deepEqual({ ...state.items.toJSON() }["b"], { n: [1] });
});

test("a map whose keys are taken for properties says what to write", () => {
  const { state } = filled();
  const items: object = state.items;
  assert.throws(() => Object.assign(items, { tea: 1 }), {
    name: "TypeError",
    message: 'state.items is a map: "tea" is no property of it; write state.items.set("tea", value)',
  });
  assert.throws(() => Reflect.deleteProperty(items, "b"), {
    name: "TypeError",
    message: 'state.items is a map: "b" is no property of it; write state.items.delete("b")',
  });
  assert.equal(state.items.size, 2);
});

test("in a template, fields of one value are that value", () => {
  const { state } = openState({ ...schema, on: { kind: "flag" } } as const, { crc32 }).begin();
  state.visits.add(3);
  state.on.enable();
  state.notes.append("hello");
  const { visits, on, notes } = state;
  assert.equal([visits, on, notes].map(String).join(), "3,true,hello");
});

test("a state may be awaited", async () => {
  const { state } = filled();
  assert.equal(await Promise.resolve(state), state);
});

test("printers show the values", () => {
  const { state } = filled();
  assert.match(inspect(state), /title: 'old'/);
  assert.match(inspect(state.items), /b: \{ n: \[ 1 \] \}/);
});

test("once a transaction is guarded, each write asks first, and reads do not", () => {
  const tx = openState({ ...schema, on: { kind: "flag" } } as const, { crc32 }).begin();
  const { state } = tx;
  state.items.set("a", 1);
  const asked: string[] = [];
  tx.guard((field) => {
    asked.push(field);
    throw new Error(`no ${field}`);
  });
  for (const write of [
    () => void (state.title = "new"),
    () => state.visits.add(1),
    () => state.items.set("c", 1),
    () => state.items.update("a", () => 2),
    () => state.items.delete("a"),
    () => state.notes.insert(0, "x"),
    () => state.notes.delete(0, 0),
    () => state.on.enable(),
    () => state.on.disable(),
  ])
    assert.throws(write, /^Error: no /);
  assert.deepEqual(asked, ["title", "visits", "items", "items", "items", "notes", "notes", "on", "on"]);
  const { title, visits, items, notes, on } = state;
  assert.deepEqual([title, visits.value, items.get("a"), notes.length, on.value], ["new", 0, 1, 0, false]);
});
