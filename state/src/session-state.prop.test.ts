// Random transactions against a plain model of the same fields.
import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import type { Json } from "@voda/proto/fields";
import { DecodeError } from "@voda/stdx";
import * as fc from "fast-check";
import { CorruptError, openState, type SessionState, type State, TooLargeError, type View } from "./index.ts";

const schema = {
  reg: { kind: "register", initial: null },
  n: { kind: "counter" },
  items: { kind: "map" },
  notes: { kind: "text" },
  other: { kind: "text" },
  chat: { kind: "log" },
  tags: { kind: "set" },
  steps: { kind: "list" },
} as const;
type S = typeof schema;
const tools = { crc32 };
const open = (pages?: Uint8Array[]): SessionState<S> => openState(schema, tools, pages);

interface Model {
  reg: Json;
  n: number;
  items: Map<string, Json>;
  texts: { notes: string; other: string };
}

function emptyModel(): Model {
  return { reg: null, n: 0, items: new Map(), texts: { notes: "", other: "" } };
}

type Write =
  | { readonly write: "reg"; readonly value: Json }
  | { readonly write: "add"; readonly amount: number }
  | { readonly write: "set"; readonly key: string; readonly value: Json }
  | { readonly write: "delete"; readonly key: string }
  | {
      readonly write: "edit";
      readonly text: "notes" | "other";
      readonly at: number;
      readonly removed: number;
      readonly inserted: string;
    };
interface Turn {
  readonly writes: readonly Write[];
  readonly end: "commit" | "rollback";
  readonly origin: number;
  /** Opens a view before, closes the oldest one after, loads the session again after. */
  readonly opens: boolean;
  readonly closes: boolean;
  readonly reloads: boolean;
}

const value: fc.Arbitrary<Json> = fc.jsonValue({ maxDepth: 2 }).map((json) => json as Json);
const key = fc.constantFrom("a", "b", "c", "🌊", "", "__proto__");
const words = fc.string({ unit: fc.constantFrom("a", "b", "é", "🌊", "漢", "\n"), maxLength: 6 });
const write: fc.Arbitrary<Write> = fc.oneof(
  fc.record({ write: fc.constant("reg" as const), value }),
  fc.record({ write: fc.constant("add" as const), amount: fc.integer() }),
  fc.record({ write: fc.constant("set" as const), key, value }),
  fc.record({ write: fc.constant("delete" as const), key }),
  fc.record({
    write: fc.constant("edit" as const),
    text: fc.constantFrom("notes" as const, "other" as const),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    removed: fc.nat(4),
    inserted: words,
  }),
);
const turn: fc.Arbitrary<Turn> = fc.record({
  writes: fc.array(write, { maxLength: 6 }),
  end: fc.constantFrom("commit", "commit", "commit", "rollback"),
  origin: fc.integer({ min: 1, max: 3 }),
  opens: fc.boolean(),
  closes: fc.boolean(),
  reloads: fc.integer({ min: 0, max: 7 }).map((one) => one === 0),
});
const turns = fc.array(turn, { maxLength: 25, size: "max" });

/** Performs the write on both; offsets are moved out of surrogate pairs by the model's plain string. */
function perform(state: State<S>, model: Model, step: Write): void {
  switch (step.write) {
    case "reg":
      state.reg = step.value;
      model.reg = step.value;
      break;
    case "add":
      model.n += step.amount;
      assert.equal(state.n.add(step.amount), model.n);
      break;
    case "set":
      state.items.set(step.key, step.value);
      model.items.set(step.key, step.value);
      break;
    case "delete":
      assert.equal(state.items.delete(step.key), model.items.delete(step.key));
      break;
    case "edit": {
      const plain = Array.from(model.texts[step.text]);
      const from = Math.floor(step.at * plain.length);
      const removed = plain.slice(from, from + step.removed).join("");
      const at = plain.slice(0, from).join("").length;
      state[step.text].delete(at, removed.length);
      state[step.text].insert(at, step.inserted);
      plain.splice(from, step.removed, ...Array.from(step.inserted));
      model.texts[step.text] = plain.join("");
    }
  }
}

const plainOf = (model: Model): unknown => [
  model.reg,
  model.n,
  [...model.items].sort(byKey),
  model.items.size,
  { ...model.texts },
];
const clone = (model: Model): Model => ({ ...model, items: new Map(model.items), texts: { ...model.texts } });
const byKey = ([a]: [string, Json], [b]: [string, Json]): number => (a < b ? -1 : 1);

function read({ state }: { readonly state: View<S>["state"] }): unknown {
  const texts = { notes: String(state.notes), other: String(state.other) };
  return [state.reg, state.n.value, [...state.items], state.items.size, texts];
}

function readLive(live: SessionState<S>): unknown {
  const view = live.view();
  const seen = read(view);
  view.close();
  return seen;
}

/**
 * Runs the turns on a session that commits and on a replica, with every property checked after every turn.
 */
function run(
  all: readonly Turn[],
  check: (delta: Uint8Array, before: Uint8Array[]) => void = () => undefined,
): void {
  let live = open();
  const replica = open();
  let model = emptyModel();
  let views: { readonly view: View<S>; readonly expected: unknown }[] = [];
  for (const { writes, end, origin, opens, closes, reloads } of all) {
    if (opens) views.push({ view: live.view(), expected: plainOf(model) });
    const before = live.snapshot();
    const tx = live.begin();
    const next = clone(model);
    for (const step of writes) perform(tx.state, next, step);
    assert.deepEqual(read(tx), plainOf(next), "a transaction reads its own writes");
    assert.deepEqual(readLive(live), plainOf(model), "nobody else does");
    if (end === "rollback") {
      tx.rollback();
      assert.deepEqual(live.snapshot(), before, "a rollback leaves no trace");
    } else {
      const delta = tx.commit(origin);
      model = next;
      if (delta === undefined) assert.deepEqual(live.snapshot(), before);
      else {
        check(delta, before);
        const seen = replica.view();
        const old = read(seen);
        replica.apply(delta);
        assert.deepEqual(read(seen), old, "a view of a replica stays too");
        seen.close();
        assert.deepEqual(replica.snapshot(), live.snapshot(), "commit and replay are one path");
      }
    }
    assert.deepEqual(readLive(live), plainOf(model));
    assert.deepEqual(readLive(replica), plainOf(model));
    for (const { view, expected } of views) assert.deepEqual(read(view), expected, "a view stays");
    if (closes) views.shift()?.view.close();
    if (reloads) {
      live = open(live.snapshot());
      views = [];
    }
  }
  assert.deepEqual(readLive(open(live.snapshot())), plainOf(model));
  assert.deepEqual(readLive(open(replica.snapshot())), plainOf(model));
}

test("transactions, replicas, views, rollbacks and reloads agree with a plain model", () => {
  fc.assert(
    fc.property(turns, (all) => run(all)),
    { numRuns: 300 },
  );
});

test("a commit that is refused for its size leaves no trace; allowed, it gives the same bytes", () => {
  fc.assert(
    fc.property(turns, (all) => {
      const [live, other] = [open(), open()];
      const [model, same] = [emptyModel(), emptyModel()];
      for (const { writes, origin } of all) {
        const [refused, allowed] = [live.begin(), other.begin()];
        for (const step of writes) {
          perform(refused.state, model, step);
          perform(allowed.state, same, step);
        }
        const delta = allowed.commit(origin);
        const before = live.snapshot();
        if (delta !== undefined) assert.throws(() => refused.commit(origin, delta.length - 1), TooLargeError);
        assert.deepEqual(live.snapshot(), before);
        assert.deepEqual(refused.commit(origin, delta?.length), delta);
        assert.deepEqual(live.snapshot(), other.snapshot());
      }
    }),
    { numRuns: 100 },
  );
});

test("a snapshot and the deltas after it give the live state", () => {
  fc.assert(
    fc.property(turns, fc.nat(), (all, cut) => {
      const pages: Uint8Array[][] = [];
      const deltas: Uint8Array[] = [];
      run(all, (delta, before) => {
        pages.push(before);
        deltas.push(delta);
      });
      const whole = open();
      for (const delta of deltas) whole.apply(delta);
      if (deltas.length === 0) return;
      const at = cut % deltas.length;
      const loaded = open(pages[at]);
      for (const delta of deltas.slice(at)) loaded.apply(delta);
      assert.equal(loaded.seq, whole.seq);
      assert.deepEqual(readLive(loaded), readLive(whole));
    }),
    { numRuns: 100 },
  );
});

test("every damaged delta is refused and leaves no trace", () => {
  fc.assert(
    fc.property(fc.array(turn, { minLength: 1, maxLength: 3 }), fc.nat(), (all, chance) => {
      run(all, (delta, before) => {
        const other = open(before);
        for (const damaged of damages(delta, chance)) assert.throws(() => other.apply(damaged), isRefusal);
        assert.deepEqual(other.snapshot(), before);
        other.apply(delta);
      });
    }),
    { numRuns: 20 },
  );
});

test("every damaged page is refused", () => {
  fc.assert(
    fc.property(turns, fc.nat(), (all, chance) => {
      run(all.slice(0, 5), (_, before) => {
        for (const [index, page] of before.entries()) {
          for (const damaged of damages(page, chance))
            assert.throws(() => open(before.with(index, damaged)), isRefusal);
        }
      });
    }),
    { numRuns: 5 },
  );
});

test("random bytes are refused, also behind a right checksum", () => {
  const bodies = fc.oneof(fc.uint8Array({ maxLength: 80, size: "max" }), turnsBody());
  fc.assert(
    fc.property(bodies, fc.boolean(), (body, isSealed) => {
      const bytes = isSealed ? sealed(1, body) : body;
      refusesOrTakes(() => {
        const live = open();
        live.apply(bytes);
        JSON.stringify(live.view().state);
      });
      const page = isSealed ? sealed(2, body) : body;
      refusesOrTakes(() => JSON.stringify(open([sealed(2, headOf(page)), page]).view().state));
    }),
    { numRuns: 3000 },
  );
});

/** Begins like a delta of transaction 1 with one field, so that random bytes reach the fields. */
function turnsBody(): fc.Arbitrary<Uint8Array> {
  const names = fc.constantFrom("reg", "n", "items", "notes", "chat", "tags", "steps");
  const numbers = { reg: 1, n: 2, items: 3, notes: 4, chat: 6, tags: 7, steps: 8 };
  return fc
    .tuple(names, fc.uint8Array({ maxLength: 40, size: "max" }), fc.boolean())
    .map(([name, rest, isDelta]) => {
      const field = [
        name.length,
        ...Buffer.from(name),
        numbers[name],
        ...(isDelta ? [] : [0]),
        rest.length,
        ...rest,
      ];
      return Uint8Array.from(isDelta ? [1, 1, 1, ...field] : field);
    });
}

function headOf(page: Uint8Array): Uint8Array {
  return page.length < 16 ? Uint8Array.of(1, 0, 0) : Uint8Array.of(1, 0, 1, ...page.subarray(12, 16));
}

function sealed(kind: number, body: Uint8Array): Uint8Array {
  const bytes = Buffer.concat([Buffer.from("766f6461010000000000000000000000", "hex"), body]);
  bytes[5] = kind;
  bytes.writeUInt32LE(body.length, 8);
  bytes.writeUInt32LE(crc32(bytes), 12);
  return Uint8Array.from(bytes);
}

/** Every bit of short bytes, one bit in 13 of longer ones, and truncations. */
function* damages(bytes: Uint8Array, chance: number): Iterable<Uint8Array> {
  const step = bytes.length < 64 ? 1 : 13;
  for (let bit = chance % step; bit < bytes.length * 8; bit += step) {
    yield bytes.with(bit >> 3, (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7)));
  }
  for (let length = 0; length < bytes.length; length += step) yield bytes.subarray(0, length);
}

function refusesOrTakes(act: () => void): void {
  try {
    act();
  } catch (error) {
    assert.ok(isRefusal(error), String(error));
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof DecodeError || error instanceof CorruptError;
}
