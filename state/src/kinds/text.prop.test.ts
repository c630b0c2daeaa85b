import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import { prng } from "@voda/stdx";
import * as fc from "fast-check";
import { openState, RefusedValueError } from "../index.ts";

const schema = { text: { kind: "text" } } as const;
const tools = { crc32 };

test("any offset either edits like a plain string or is refused for splitting a pair", () => {
  const edit = fc.tuple(
    fc.nat(30),
    fc.nat(6),
    fc.string({ unit: fc.constantFrom("x", "🌊", "é"), maxLength: 4 }),
  );
  fc.assert(
    fc.property(
      fc.array(edit, { maxLength: 40, size: "max" }),
      fc.integer({ min: 1, max: 5 }),
      (edits, perTurn) => {
        const live = openState(schema, tools);
        const replica = openState(schema, tools);
        let plain = "";
        for (let from = 0; from < edits.length; from += perTurn) {
          const tx = live.begin();
          for (const [at, count, inserted] of edits.slice(from, from + perTurn)) {
            const next = plain.slice(0, at) + plain.slice(at + count);
            const isPossible =
              at + count <= plain.length && plain.slice(0, at).isWellFormed() && next.isWellFormed();
            if (!isPossible) {
              assert.throws(() => tx.state.text.delete(at, count), RefusedValueError);
              continue;
            }
            tx.state.text.delete(at, count);
            tx.state.text.insert(at, inserted);
            plain = next.slice(0, at) + inserted + next.slice(at);
          }
          assert.equal(String(tx.state.text), plain);
          const delta = tx.commit(7);
          if (delta !== undefined) replica.apply(delta);
        }
        for (const one of [live, replica, openState(schema, tools, live.snapshot())])
          assert.equal(String(one.view().state.text), plain);
      },
    ),
    { numRuns: 300 },
  );
});

test("a text of 10,000 edits by five activations is saved small, loads equal and goes on", () => {
  const random = prng(7);
  let live = openState(schema, tools);
  let plain = "";
  let deltas = 0;
  for (let i = 0; i < 10_000; i += 10) {
    const tx = live.begin();
    for (let k = 0; k < 10; k += 1) {
      const at = random.below(plain.length + 1);
      const removed = random.chance(0.4) ? Math.min(random.below(6), plain.length - at) : 0;
      const inserted = random.chance(0.6) ? "lorem ipsum ".slice(0, 1 + random.below(11)) : "";
      tx.state.text.delete(at, removed);
      tx.state.text.insert(at, inserted);
      plain = plain.slice(0, at) + inserted + plain.slice(at + removed);
    }
    deltas += tx.commit(1 + Math.floor(i / 2000))?.length ?? 0;
    if (i % 2000 === 1990) live = openState(schema, tools, live.snapshot());
  }
  const pages = live.snapshot();
  const saved = pages.reduce((sum, page) => sum + page.length, 0);
  assert.ok(saved < deltas, `snapshot of ${saved} bytes, deltas of ${deltas}`);
  const loaded = openState(schema, tools, pages);
  assert.deepEqual(loaded.snapshot(), pages);
  const tx = loaded.begin();
  tx.state.text.append("end");
  tx.commit(5);
  assert.equal(String(loaded.view().state.text), `${plain}end`);
});
