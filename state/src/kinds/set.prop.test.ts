import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import type { Scalar } from "@voda/proto/fields";
import * as fc from "fast-check";
import { openState, type SessionState, type State, type View } from "../index.ts";

type S = { readonly tags: { readonly kind: "set" } };
const open = (pages?: readonly Uint8Array[]): SessionState<S> =>
  openState({ tags: { kind: "set" } }, { crc32 }, pages);

interface Write {
  readonly isAdded: boolean;
  readonly value: Scalar;
}

/** Few, so that they meet again, and such as look alike. */
const some: fc.Arbitrary<Scalar> = fc.constantFrom(null, false, true, 0, 1, -1.5, "", "0", "1", "null", "🌊");
const any: fc.Arbitrary<Scalar> = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer(),
  fc.string({ unit: "grapheme" }),
);
const write: fc.Arbitrary<Write> = fc.record({
  isAdded: fc.nat(2).map((n) => n > 0),
  value: fc.oneof({ weight: 3, arbitrary: some }, any),
});
const turns = fc.array(
  fc.record({
    writes: fc.array(write, { maxLength: 8 }),
    commits: fc.nat(4).map((n) => n > 0),
    reloads: fc.nat(5).map((n) => n === 0),
  }),
  { maxLength: 20, size: "max" },
);

function perform(tags: State<S>["tags"], model: Set<Scalar>, { isAdded, value }: Write): void {
  const isThere = model.has(value);
  if (isAdded) {
    assert.equal(tags.add(value), !isThere);
    model.add(value);
  } else assert.equal(tags.delete(value), model.delete(value));
  assert.equal(tags.has(value), isAdded);
}

function agrees({ tags }: State<S> | View<S>["state"], model: ReadonlySet<Scalar>): void {
  const values = [...tags];
  assert.deepEqual(new Set(values), model);
  assert.deepEqual([values.length, tags.size], [model.size, model.size]);
  for (const value of ["0", 0, null]) assert.equal(tags.has(value), model.has(value));
  const ranks = values.map((value) =>
    ["null", "boolean", "number", "string"].indexOf(value === null ? "null" : typeof value),
  );
  assert.deepEqual(
    ranks,
    ranks.toSorted((a, b) => a - b),
    "types in their order",
  );
  for (const type of ["number", "string"]) {
    const ofType = values.filter((value) => typeof value === type);
    assert.ok(
      ofType.every((value, i) => i === 0 || (ofType[i - 1] ?? "") < (value ?? "")),
      type,
    );
  }
}

function looks(session: SessionState<S>, model: ReadonlySet<Scalar>): void {
  const view = session.view();
  agrees(view.state, model);
  view.close();
}

test("a set agrees with one of JavaScript: in turns, views, replicas, after rollbacks and reloads", () => {
  fc.assert(
    fc.property(turns, (all) => {
      let live = open();
      const replica = open();
      let model: ReadonlySet<Scalar> = new Set();
      for (const { writes, commits, reloads } of all) {
        const view = live.view();
        const before = live.snapshot();
        const tx = live.begin();
        const next = new Set(model);
        for (const step of writes) perform(tx.state.tags, next, step);
        agrees(tx.state, next);
        if (commits) {
          const delta = tx.commit(1);
          assert.equal(delta === undefined, isSame(model, next), "a delta for a change, and only then");
          if (delta !== undefined) replica.apply(delta);
        } else tx.rollback();
        agrees(view.state, model);
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
    { numRuns: 100 },
  );
});

test("what a set holds depends on what was done last to each value, not on the order among values", () => {
  const pairs = fc.uniqueArray(write, {
    selector: ({ value }) => value,
    comparator: "SameValueZero",
    maxLength: 30,
  });
  fc.assert(
    fc.property(pairs, fc.infiniteStream(fc.nat()), (writes, order) => {
      const pages = [writes, shuffled(writes, order), [...writes, ...writes]].map((steps) => {
        const live = open();
        for (const [i, { isAdded, value }] of [...steps, { isAdded: true, value: "last" }].entries()) {
          const tx = live.begin();
          if (isAdded) tx.state.tags.add(value);
          else tx.state.tags.delete(value);
          tx.commit(i + 1);
        }
        return live.snapshot().slice(1);
      });
      assert.deepEqual(pages[1], pages[0], "in another order");
      assert.deepEqual(pages[2], pages[0], "and again");
    }),
    { numRuns: 100 },
  );
});

const isSame = (a: ReadonlySet<Scalar>, b: ReadonlySet<Scalar>): boolean =>
  a.size === b.size && [...a].every((value) => b.has(value));

function shuffled<T>(items: readonly T[], order: Iterator<number>): T[] {
  return items
    .map((item) => ({ item, rank: Number(order.next().value) }))
    .toSorted((a, b) => a.rank - b.rank)
    .map(({ item }) => item);
}
