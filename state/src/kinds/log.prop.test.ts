import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import type { Json } from "@voda/proto/fields";
import * as fc from "fast-check";
import { openState, type SessionState, type State } from "../index.ts";

type S = { readonly chat: { readonly kind: "log"; readonly keep?: number } };
type Log = State<S>["chat"];
const open = (keep: number | undefined, pages?: readonly Uint8Array[]): SessionState<S> =>
  openState({ chat: { kind: "log", ...(keep !== undefined && { keep }) } }, { crc32 }, pages);

type Write =
  | { readonly write: "append"; readonly values: readonly Json[] }
  | { readonly write: "redact"; readonly at: number };
interface Turn {
  readonly writes: readonly Write[];
  readonly commits: boolean;
  readonly reloads: boolean;
}

const small: fc.Arbitrary<Json> = fc.jsonValue({ maxDepth: 1 }).map((json) => json as Json);
/** Some entries are larger than a chunk or a page, and some fill chunks with others. */
const large = fc
  .constantFrom(3_000, 3_000, 3_000, 3_000, 40_000, 90_000)
  .map((length): Json => "語".repeat(length / 3));
const write: fc.Arbitrary<Write> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      write: fc.constant("append" as const),
      values: fc.array(fc.oneof({ weight: 4, arbitrary: small }, large), { maxLength: 8, size: "max" }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      write: fc.constant("redact" as const),
      at: fc.double({ min: 0, max: 0.999, noNaN: true }),
    }),
  },
);
const turns: fc.Arbitrary<readonly Turn[]> = fc.array(
  fc.record({
    writes: fc.array(write, { maxLength: 4 }),
    commits: fc.nat(4).map((n) => n > 0),
    reloads: fc.nat(5).map((n) => n === 0),
  }),
  { maxLength: 12, size: "max" },
);
const keeps = fc.constantFrom(undefined, 1, 3, 20);

/** All places that ever were. */
type Model = (Json | undefined)[];

function perform(log: Log, model: Model, step: Write, keep: number): void {
  if (step.write === "redact") {
    const place = Math.floor(step.at * model.length);
    if (model.length === 0) return;
    assert.equal(log.redact(place), model[place] !== undefined);
    model[place] = undefined;
  } else {
    for (const value of step.values) {
      assert.equal(log.append(value), model.length);
      model.push(value);
      if (model.length > keep) model[model.length - keep - 1] = undefined;
    }
  }
}

function agrees(log: Omit<Log, "append" | "redact">, model: Model): void {
  const there = model.flatMap((value, place): [number, Json][] =>
    value === undefined ? [] : [[place, value]],
  );
  assert.equal(log.length, model.length);
  assert.deepEqual([...log.entries()], there);
  assert.deepEqual(
    log.last(3),
    there.slice(-3).map(([, value]) => value),
  );
  for (const place of [0, 1, -1, -2, model.length >> 1]) assert.deepEqual(log.at(place), model.at(place));
}

function looks(session: SessionState<S>, model: Model): void {
  const view = session.view();
  agrees(view.state.chat, model);
  view.close();
}

test("a log agrees with a list of places: in turns, views, replicas, after rollbacks and reloads", () => {
  fc.assert(
    fc.property(turns, keeps, (all, keep) => {
      let live = open(keep);
      // Another revision that keeps all: what is dropped is what the delta says.
      const replica = open(undefined);
      let model: Model = [];
      for (const { writes, commits, reloads } of all) {
        const view = live.view();
        const before = live.snapshot();
        const tx = live.begin();
        const next = [...model];
        for (const step of writes) perform(tx.state.chat, next, step, keep ?? Number.POSITIVE_INFINITY);
        agrees(tx.state.chat, next);
        if (commits) {
          const delta = tx.commit(1);
          if (delta !== undefined) replica.apply(delta);
        } else tx.rollback();
        agrees(view.state.chat, model);
        view.close();
        if (commits) model = next;
        else assert.deepEqual(live.snapshot(), before, "a rollback leaves no trace");
        looks(live, model);
        looks(replica, model);
        assert.deepEqual(replica.snapshot(), live.snapshot(), "commit and replay are one path");
        if (reloads) live = open(keep, live.snapshot());
      }
      looks(open(keep, live.snapshot()), model);
    }),
    { numRuns: 30 },
  );
});

test("deltas that come in any order and again are taken once each, in their order, and give the same state", () => {
  const order = fc.array(fc.nat(), { maxLength: 60, size: "max" });
  fc.assert(
    fc.property(turns, keeps, order, (all, keep, picks) => {
      const live = open(keep);
      const deltas = all.flatMap(({ writes }) => {
        const tx = live.begin();
        const model: Model = [...Array(tx.state.chat.length)].map((_, place) => tx.state.chat.at(place));
        for (const step of writes) perform(tx.state.chat, model, step, keep ?? Number.POSITIVE_INFINITY);
        return tx.commit(1) ?? [];
      });
      const replica = open(keep);
      for (const pick of deltas.length === 0 ? [] : [...picks, ...deltas.keys()]) {
        const before = replica.snapshot();
        const { seq } = replica;
        const at = pick % deltas.length;
        const give = (): void => replica.apply(deltas[at] ?? assert.fail());
        if (at === seq) give();
        else {
          assert.throws(give, { name: "CorruptError", message: /must follow/ });
          assert.deepEqual(replica.snapshot(), before);
        }
      }
      assert.deepEqual(replica.snapshot(), live.snapshot());
    }),
    { numRuns: 10 },
  );
});
