import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import { ClosedError, openState } from "./index.ts";

const schema = { n: { kind: "counter" }, items: { kind: "map" }, notes: { kind: "text" } } as const;

function session() {
  const live = openState(schema, { crc32 });
  const step = (key: string): void => {
    const tx = live.begin();
    tx.state.n.add(1);
    tx.state.items.set(key, tx.state.n.value);
    tx.state.items.delete("first");
    tx.state.notes.append(key);
    tx.commit(1);
  };
  const see = () => {
    const view = live.view();
    const read = () => [
      view.state.n.value,
      [...view.state.items],
      view.state.items.size,
      String(view.state.notes),
    ];
    return { read, close: () => view.close() };
  };
  return { live, step, see };
}

test("a view does not see an open transaction", () => {
  const { live, see } = session();
  const tx = live.begin();
  tx.state.n.add(1);
  tx.state.items.set("a", 1);
  tx.state.notes.append("a");
  assert.deepEqual(see().read(), [0, [], 0, ""]);
});

test("views of several moments each stay as they were, whichever closes first", () => {
  const orders = [
    [0, 1, 2],
    [2, 1, 0],
    [1, 0, 2],
    [1, 2, 0],
  ] as const;
  for (const order of orders) {
    const { step, see } = session();
    step("first");
    const views = ["a", "b", "c"].map((key) => {
      const view = see();
      const expected = view.read();
      step(key);
      return { view, expected };
    });
    for (const closing of order) {
      step("d");
      views[closing]?.view.close();
      for (const [index, { view, expected }] of views.entries()) {
        if (order.indexOf(index as 0 | 1 | 2) > order.indexOf(closing))
          assert.deepEqual(view.read(), expected, `order ${order.join()}`);
      }
    }
  }
});

test("a closed view refuses reads, and closing twice harms no other view", () => {
  const { see, step } = session();
  const one = see();
  const other = see();
  one.close();
  one.close();
  step("a");
  assert.deepEqual(other.read(), [0, [], 0, ""]);
  assert.throws(() => one.read(), ClosedError);
});

test("a view refuses writes", () => {
  const { live } = session();
  const { state } = live.view();
  assert.throws(() => Object(state.n).add(1), /a view only reads/);
  assert.throws(() => Object(state.items).set("a", 1), /a view only reads/);
  assert.throws(() => Object(state.notes).append("a"), /a view only reads/);
});
