import assert from "node:assert/strict";
import { test } from "node:test";
import type { DeviceShare } from "@voda/proto/grant";
import * as fc from "fast-check";
import { createDeviceBooks } from "./device-books.ts";

interface Granted {
  readonly tenant: string;
  readonly shares: readonly DeviceShare[];
}
const ids = ["a", "b", "c"];
const memoryMib = 100;
const share: fc.Arbitrary<DeviceShare> = fc.record({
  uuid: fc.constantFrom(...ids, "unknown"),
  whole: fc.nat(3).map((one) => one === 0),
  milli: fc.oneof(fc.nat(300), fc.nat(1000)),
  memoryMib: fc.oneof(fc.nat(30), fc.nat(memoryMib)),
});
const tenants = ["red", "blue"] as const;
const grant = fc.record({
  tenant: fc.constantFrom(...tenants),
  shares: fc.array(share, { minLength: 1, maxLength: 3 }),
});
const step = fc.oneof(grant, fc.nat(20));

test("no history of grants exceeds a device or mixes its modes or tenants, and what is given back is free again", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
      const books = createDeviceBooks(ids.map((uuid) => ({ uuid, model: "X", memoryMib, vendor: "nvidia" })));
      const held: Granted[] = [];
      for (const one of steps) {
        if (typeof one !== "number") {
          if (books.take(one.shares, one.tenant) === undefined) held.push(one);
        } else {
          books.give(held.splice(one % Math.max(1, held.length), 1)[0]?.shares ?? []);
        }
        for (const uuid of ids) check(held, uuid);
        assert.ok(held.every(({ shares }) => shares.every((each) => each.uuid !== "unknown")));
      }
      for (const { shares } of held) books.give(shares);
      const all = ids.map((uuid) => ({ uuid, whole: true, milli: 1000, memoryMib }));
      assert.equal(books.take(all, "red"), undefined);
    }),
  );
});

function check(held: readonly Granted[], uuid: string): void {
  const shares = held.flatMap((one) => one.shares).filter((one) => one.uuid === uuid);
  const owners = held
    .filter((one) => one.shares.some((each) => each.uuid === uuid))
    .map(({ tenant }) => tenant);
  assert.ok(new Set(owners).size <= 1, `${owners.join(", ")} share ${uuid}`);
  if (shares.some((one) => one.whole)) assert.equal(shares.length, 1);
  assert.ok(shares.reduce((sum, one) => sum + one.milli, 0) <= 1000);
  assert.ok(shares.reduce((sum, one) => sum + one.memoryMib, 0) <= memoryMib);
}
