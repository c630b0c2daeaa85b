// Updates that are written without touching the document are those that yjs gives when it performs the same
// splices.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { applyUpdate, Doc, encodeStateAsUpdate, type Text } from "yjs";
import { type Splice, Splices } from "./text-splices.ts";
import { type Bookmark, rootName, writeUpdate } from "./text-update.ts";

const words = fc.string({ unit: fc.constantFrom("a", "b", "é"), maxLength: 4 });
const edit = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  removed: fc.nat(5),
  inserted: words,
});
const turns = fc.array(
  fc.record({ edits: fc.array(edit, { maxLength: 6 }), origin: fc.integer({ min: 1, max: 3 }) }),
  {
    maxLength: 12,
    size: "max",
  },
);

interface Live {
  readonly doc: Doc;
  readonly text: Text;
}
function live(): Live {
  const doc = new Doc({ guid: "" });
  doc.clientID = 0;
  return { doc, text: doc.getText(rootName) };
}

/** What yjs writes when it performs the splices, from the first to the last. */
function updateOfYjs(
  { doc, text }: Live,
  splices: readonly Splice[],
  origin: number,
): Uint8Array | undefined {
  let update: Uint8Array | undefined;
  doc.clientID = origin;
  doc.once("update", (bytes: Uint8Array) => {
    update = bytes;
  });
  let shift = 0;
  doc.transact(() => {
    for (const { at, removed, inserted } of splices) {
      if (removed > 0) text.delete(at + shift, removed);
      if (inserted !== "") text.insert(at + shift, inserted);
      shift += inserted.length - removed;
    }
  });
  doc.clientID = 0;
  return update;
}

test("updates are byte for byte those of yjs, and documents stay equal", () => {
  fc.assert(
    fc.property(turns, (all) => {
      const performing = live();
      const applying = live();
      let plain = "";
      let near: Bookmark | undefined;
      for (const { edits, origin } of all) {
        const splices = new Splices();
        for (const { at, removed, inserted } of edits) {
          const from = Math.floor(at * plain.length);
          const count = Math.min(removed, plain.length - from);
          splices.add(from, count, inserted);
          plain = plain.slice(0, from) + inserted + plain.slice(from + count);
        }
        if (splices.list.length === 0) continue;
        const before = encodeStateAsUpdate(applying.doc);
        const { update, near: next } = writeUpdate(applying, splices.list, origin, near);
        assert.deepEqual(encodeStateAsUpdate(applying.doc), before, "writing has no effect");
        assert.deepEqual(
          writeUpdate(applying, splices.list, origin, undefined).update,
          update,
          "from the start",
        );
        assert.deepEqual(update, updateOfYjs(performing, splices.list, origin));
        applyUpdate(applying.doc, update);
        near = next;
        assert.equal(applying.text.toJSON(), plain);
      }
      assert.deepEqual(encodeStateAsUpdate(applying.doc), encodeStateAsUpdate(performing.doc));
    }),
    { numRuns: 1000 },
  );
});

test("splices stay in order and apart, and give what the edits gave", () => {
  fc.assert(
    fc.property(
      fc.string({ maxLength: 30, size: "max" }),
      fc.array(edit, { maxLength: 30, size: "max" }),
      (text, edits) => {
        const splices = new Splices();
        let plain = text;
        for (const { at, removed, inserted } of edits) {
          const from = Math.floor(at * plain.length);
          const count = Math.min(removed, plain.length - from);
          splices.add(from, count, inserted);
          plain = plain.slice(0, from) + inserted + plain.slice(from + count);
          let end = -1;
          for (const one of splices.list) {
            assert.ok(one.at > end, "at least one unit is kept between two splices");
            assert.ok(one.removed > 0 || one.inserted !== "");
            end = one.at + one.removed;
          }
          const spliced = splices.list.toReversed().reduce((all, one) => replace(all, one), text);
          assert.equal(spliced, plain);
        }
      },
    ),
    { numRuns: 1000 },
  );
});

const replace = (text: string, { at, removed, inserted }: Splice): string =>
  text.slice(0, at) + inserted + text.slice(at + removed);
