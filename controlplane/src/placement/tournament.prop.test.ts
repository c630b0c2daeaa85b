import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { tournament } from "./tournament.ts";

test("the winner is the first of the best, whatever has changed before", () => {
  const scores = fc.array(fc.nat(5), { minLength: 1, maxLength: 40, size: "max" });
  const changes = fc.array(fc.tuple(fc.nat(100), fc.nat(5)), { maxLength: 30, size: "max" });
  fc.assert(
    fc.property(scores, changes, (start, steps) => {
      const now = [...start];
      const one = tournament(now.length, (a, b) => (now[a] ?? 0) > (now[b] ?? 0));
      assert.equal(one.winner(), now.indexOf(Math.max(...now)));
      for (const [at, score] of steps) {
        now[at % now.length] = score;
        one.changed(at % now.length);
        assert.equal(one.winner(), now.indexOf(Math.max(...now)));
      }
    }),
  );
});
