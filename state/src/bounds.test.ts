// What lies right on a bound.
import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import { checkOrigin, originMax } from "./delta.ts";
import { pieceAloneBytes } from "./piece.ts";
import { decodePages, encodePages } from "./snapshot.ts";

test("a piece that is just large enough lies on a page of its own, once, and no empty page follows", () => {
  const value = [new Uint8Array(pieceAloneBytes).fill(7)];
  const snapshot = { seq: 3, fields: [{ name: "f", kind: 1, value, operations: [] }] };
  const pages = encodePages(snapshot, crc32);
  assert.equal(pages.length, 2);
  assert.deepEqual(decodePages(pages, crc32), snapshot);
});

test("activations are numbered from 1 to originMax", () => {
  checkOrigin(1);
  checkOrigin(originMax);
  assert.equal(originMax, 0xffff_ffff, "a client of yjs");
  for (const origin of [0, originMax + 1, 1.5]) assert.throws(() => checkOrigin(origin), RangeError);
});
