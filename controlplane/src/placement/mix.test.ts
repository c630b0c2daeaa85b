import assert from "node:assert/strict";
import { test } from "node:test";
import { fraction, none, whole } from "../../test/node-specs.ts";
import { KindTable, shapeOf } from "./kind.ts";
import { RequestMix } from "./mix.ts";

const table = new KindTable();
const kind = (gpu: typeof none) =>
  table.kindOf(shapeOf({ cpuMilli: 1000, memoryMib: 1024, diskMib: 0, gpu, isolation: "shared" }, 0, 0));

test("the outlook follows what arrives, and what came long ago counts for little", () => {
  const mix = new RequestMix();
  for (let i = 0; i < 8000; i++) mix.arrived(kind(whole(1)));
  for (let i = 0; i < 40_000; i++) mix.arrived(kind(i % 2 === 0 ? none : fraction(250)));
  const share = (wanted: typeof none): number =>
    mix.outlook().mix.find((one) => one.kind === kind(wanted))?.share ?? 0;
  assert.ok(share(whole(1)) < 0.01);
  assert.ok(Math.abs(share(none) - 0.5) < 0.01 && Math.abs(share(fraction(250)) - 0.5) < 0.01);
});

test("churn is the departures per placement: none while a pool fills, one when it is steady, whatever was refused", () => {
  const mix = new RequestMix();
  const arrive = (isPlaced: boolean, isDeparture: boolean): void => {
    mix.arrived(kind(none));
    if (isPlaced) mix.placed();
    if (isDeparture) mix.departed();
  };
  for (let i = 0; i < 5000; i++) arrive(true, false);
  assert.equal(mix.churn(), 0);
  for (let i = 0; i < 20_000; i++) arrive(i % 2 === 0, i % 2 === 1);
  assert.ok(mix.churn() > 0.95);
  for (let i = 0; i < 20_000; i++) arrive(true, i % 4 === 0);
  assert.ok(Math.abs(mix.churn() - 0.25) < 0.02);
});
