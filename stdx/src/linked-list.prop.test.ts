import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { type Link, LinkedList } from "./linked-list.ts";

/** A number pushes, or takes out what came that many places before. */
const step = fc.option(fc.nat(12), { nil: undefined });

test("it holds what a Set would hold, in the same order", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200, size: "max" }), (steps) => {
      const [mine, model, links] = [new LinkedList<number>(), new Set<number>(), [] as Link<number>[]];
      for (const [i, back] of steps.entries()) {
        const link = back === undefined ? undefined : links.at(-1 - back);
        if (link === undefined) {
          links.push(mine.push(i));
          model.add(i);
        } else {
          assert.equal(mine.remove(link), model.delete(link.value));
        }
        assert.deepEqual(mine.values(), [...model]);
        assert.deepEqual([mine.size, mine.first], [model.size, mine.values()[0]]);
      }
    }),
  );
});

test("what stands in another list stays there", () => {
  const [one, other] = [new LinkedList<string>(), new LinkedList<string>()];
  const link = one.push("a");
  assert.equal(other.remove(link), false);
  assert.deepEqual([one.values(), other.size], [["a"], 0]);
});
