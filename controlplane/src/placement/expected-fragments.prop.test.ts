import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { ask, fraction, node, none, whole } from "../../test/node-specs.ts";
import { expectedFragments } from "./expected-fragments.ts";
import type { Kind } from "./kind.ts";
import { classesOf } from "./node-classes.ts";
import { Pool } from "./pool.ts";

const requests = fc.record({
  gpu: fc.constantFrom(
    none,
    whole(1),
    whole(2),
    whole(4),
    fraction(10),
    fraction(190),
    fraction(460),
    fraction(810),
    fraction(990),
  ),
  cores: fc.integer({ min: 0, max: 40 }),
  models: fc.constantFrom([], ["A"], ["B"], ["A", "B"]),
});

/**
 * GPUs that cannot be used, by the definition: all of them when the request does not fit, else the devices
 * that are too small.
 */
function unusable(
  rests: readonly number[],
  { kind, cores, isModel }: { kind: Kind; cores: number; isModel: boolean },
): number {
  const all = rests.reduce((sum, one) => sum + one, 0);
  const fitting = rests.filter((rest) => rest >= kind.gpuMilli);
  const fits =
    kind.gpuCount > 0 && isModel && kind.cpuMilli <= cores * 1000 && fitting.length >= kind.gpuCount;
  return (fits ? all - fitting.reduce((sum, one) => sum + one, 0) : all) / 1000;
}

test("the tables give the GPUs that a random request of the mix cannot use", () => {
  fc.assert(
    fc.property(
      fc.array(requests, { minLength: 1, maxLength: 8 }),
      fc.array(requests, { maxLength: 12, size: "max" }),
      (mix, before) => {
        const pool = new Pool({
          nodes: [node("n", { gpus: 4, cores: 64, model: "A" }), node("m", { gpus: 1, model: "B" })],
        });
        const kinds = mix
          .map((one, i) => pool.kindOf(ask(`m${i}`, one.gpu, one)))
          .filter((kind) => typeof kind !== "string");
        const shares = kinds.map((kind) => ({ kind, share: 1 / kinds.length }));
        for (const [i, one] of before.entries()) pool.place(ask(`s${i}`, one.gpu, one));
        const { books } = pool;
        const { classes, classOf } = classesOf(books);
        const tables = expectedFragments(books, shares, classes);
        for (let at = 0; at < books.count; at++) {
          const cores = Math.floor((books.cpuMilli[at] ?? 0) / 1000);
          const first = at * books.stride;
          const gpus = books.gpus[at] ?? 0;
          const rests = Array.from({ length: gpus }, (_, i) => books.deviceMilli[first + i] ?? 0);
          const expected = shares.reduce((sum, { kind, share }) => {
            const isModel = kind.models === 0 || ((kind.models >> (books.deviceModel[first] ?? 0)) & 1) === 1;
            return sum + share * unusable(rests, { kind, cores, isModel });
          }, 0);
          const nodeClass = classOf[at] ?? 0;
          const broken = tables.ofRests(nodeClass, cores, books.deviceRoom, first, gpus);
          const got = tables.of(nodeClass, cores, broken, books.gpuMilli[at] ?? 0, books.idleGpus[at] ?? 0);
          assert.ok(Math.abs(got - expected) < 1e-4, `${got} is not ${expected}`);
        }
      },
    ),
  );
});
