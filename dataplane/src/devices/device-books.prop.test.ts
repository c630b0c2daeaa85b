import assert from "node:assert/strict";
import { test } from "node:test";
import type { DeviceShare } from "@voda/proto/grant";
import * as fc from "fast-check";
import { createDeviceBooks } from "./device-books.ts";

const ids = ["a", "b", "c"];
const memoryMib = 100;
const share: fc.Arbitrary<DeviceShare> = fc.record({
  uuid: fc.constantFrom(...ids, "unknown"),
  whole: fc.boolean(),
  milli: fc.integer({ min: 0, max: 1000 }),
  memoryMib: fc.integer({ min: 0, max: memoryMib }),
});
const step = fc.oneof(fc.array(share, { minLength: 1, maxLength: 3 }), fc.nat(20));

test("no history of grants exceeds a device or mixes its modes, and what is given back is free again", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const books = createDeviceBooks(ids.map((uuid) => ({ uuid, model: "X", memoryMib, vendor: "nvidia" })));
      const held: (readonly DeviceShare[])[] = [];
      for (const one of steps) {
        if (typeof one !== "number") {
          if (books.take(one) === undefined) held.push(one);
        } else {
          books.give(held.splice(one % Math.max(1, held.length), 1)[0] ?? []);
        }
        for (const uuid of ids) check(held.flat().filter((each) => each.uuid === uuid));
        assert.ok(held.flat().every((each) => each.uuid !== "unknown"));
      }
      for (const shares of held) books.give(shares);
      assert.equal(books.take(ids.map((uuid) => ({ uuid, whole: true, milli: 1000, memoryMib }))), undefined);
    }),
  );
});

function check(shares: readonly DeviceShare[]): void {
  if (shares.some((one) => one.whole)) assert.equal(shares.length, 1);
  assert.ok(shares.reduce((sum, one) => sum + one.milli, 0) <= 1000);
  assert.ok(shares.reduce((sum, one) => sum + one.memoryMib, 0) <= memoryMib);
}
