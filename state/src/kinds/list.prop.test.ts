import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import type { Json } from "@voda/proto/fields";
import * as fc from "fast-check";
import { openState, type SessionState, type State } from "../index.ts";
import { between, isOrder, spread } from "./list-order.ts";

type S = { readonly steps: { readonly kind: "list" } };
type List = State<S>["steps"];
const open = (pages?: readonly Uint8Array[]): SessionState<S> =>
  openState({ steps: { kind: "list" } }, { crc32 }, pages);

/** Places are parts of the list's length. */
interface Write {
  readonly write: "insert" | "set" | "move" | "delete";
  readonly at: number;
  readonly to: number;
  readonly value: Json;
}

const part = fc.oneof(fc.double({ min: 0, max: 0.999, noNaN: true }), fc.constantFrom(0, 0.999));
const write: fc.Arbitrary<Write> = fc.record({
  write: fc.constantFrom("insert", "insert", "insert", "set", "move", "move", "delete"),
  at: part,
  to: part,
  value: fc.oneof(
    { weight: 9, arbitrary: fc.jsonValue({ maxDepth: 1 }).map((json) => json as Json) },
    fc.constantFrom(2_000, 9_000, 70_000).map((length) => "x".repeat(length)),
  ),
});
const turns = fc.array(
  fc.record({
    writes: fc.array(write, { maxLength: 8 }),
    commits: fc.nat(4).map((n) => n > 0),
    reloads: fc.nat(5).map((n) => n === 0),
  }),
  { maxLength: 15, size: "max" },
);

function perform(list: List, model: Json[], { write: kind, at: part1, to: part2, value }: Write): void {
  const at = Math.floor(part1 * (model.length + (kind === "insert" ? 1 : 0)));
  const to = Math.floor(part2 * model.length);
  if (kind === "insert") {
    if (at === model.length) list.append(value);
    else list.insert(at, value);
    model.splice(at, 0, value);
  } else if (model.length > 0) {
    if (kind === "set") list.set(at, value);
    else if (kind === "move") list.move(at, to);
    else assert.deepEqual(list.delete(at), model[at]);
    const [old = null] = model.splice(at, 1);
    if (kind === "set") model.splice(at, 0, value);
    if (kind === "move") model.splice(to, 0, old);
  }
}

function agrees(list: Pick<List, "length" | "at" | "slice" | "toJSON">, model: readonly Json[]): void {
  assert.equal(list.length, model.length);
  assert.deepEqual(list.toJSON(), model);
  assert.deepEqual(list.slice(-3, -1), model.slice(-3, -1));
  for (const at of [0, 1, -1, model.length]) assert.deepEqual(list.at(at), model.at(at));
}

function looks(session: SessionState<S>, model: readonly Json[]): void {
  const view = session.view();
  agrees(view.state.steps, model);
  view.close();
}

test("a list agrees with an array: in turns, views, replicas, after rollbacks and reloads", () => {
  fc.assert(
    fc.property(turns, (all) => {
      let live = open();
      const replica = open();
      let model: readonly Json[] = [];
      for (const { writes, commits, reloads } of all) {
        const view = live.view();
        const before = live.snapshot();
        const tx = live.begin();
        const next = [...model];
        for (const step of writes) perform(tx.state.steps, next, step);
        agrees(tx.state.steps, next);
        if (commits) {
          const delta = tx.commit(1);
          if (delta !== undefined) replica.apply(delta);
        } else tx.rollback();
        agrees(view.state.steps, model);
        view.close();
        if (commits) model = next;
        else assert.deepEqual(live.snapshot(), before, "a rollback leaves no trace");
        looks(live, model);
        looks(replica, model);
        assert.deepEqual(replica.snapshot(), live.snapshot(), "commit and replay are one path");
        if (reloads) live = open(live.snapshot());
      }
      looks(open(live.snapshot()), model);
    }),
    { numRuns: 60 },
  );
});

test("there is a key between any two, and it is one", () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(part, fc.constant(0.5)), { maxLength: 300, size: "max" }),
      fc.nat(40),
      (parts, count) => {
        const keys: string[] = [];
        for (const one of parts) {
          const at = Math.floor(one * (keys.length + 1));
          keys.splice(at, 0, between(keys[at - 1], keys[at]));
        }
        const at = Math.floor((parts[0] ?? 0) * (keys.length + 1));
        keys.splice(at, 0, ...spread(keys[at - 1], keys[at], count));
        assert.equal(keys.length, parts.length + count);
        for (const [i, key] of keys.entries()) {
          assert.ok(isOrder(key), key);
          assert.ok(i === 0 || (keys[i - 1] ?? "") < key, `${keys[i - 1]} before ${key}`);
        }
      },
    ),
    { numRuns: 300 },
  );
});
