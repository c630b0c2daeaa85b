import assert from "node:assert/strict";
import { test } from "node:test";
import { pricesOfPieces } from "./cutting-stock.ts";

function round(prices: readonly number[]): number[] {
  return prices.map((price) => Math.round(price * 1000) / 1000);
}

test("a piece that fits n times costs an n-th of the whole", () => {
  assert.deepEqual(round(pricesOfPieces([{ size: 250, frequency: 3 }], 1000)), [0.25]);
  assert.deepEqual(round(pricesOfPieces([{ size: 334, frequency: 3 }], 1000)), [0.5]);
});

test("what only fills the rest beside a scarce large piece is free", () => {
  const prices = round(
    pricesOfPieces(
      [
        { size: 810, frequency: 10 },
        { size: 150, frequency: 1 },
      ],
      1000,
    ),
  );
  assert.deepEqual(prices, [1, 0]);
});

test("the prices bound every pattern by one and add up to the wholes that are cut", () => {
  const pieces = [
    { size: 45, frequency: 97 },
    { size: 36, frequency: 610 },
    { size: 31, frequency: 395 },
    { size: 14, frequency: 211 },
  ];
  const prices = pricesOfPieces(pieces, 100);
  const cut = pieces.reduce((sum, { frequency }, i) => sum + frequency * (prices[i] ?? 0), 0);
  assert.equal(Math.round(cut * 100) / 100, 452.25, "Gilmore and Gomory's textbook example");
});

test("no pieces have no prices", () => {
  assert.deepEqual(pricesOfPieces([], 1000), []);
});
