import assert from "node:assert/strict";
import { test } from "node:test";
import { BoundedMap } from "./bounded-map.ts";

const keysOf = (map: BoundedMap<string, number>): string[] =>
  ["a", "b", "c", "d"].filter((key) => map.has(key));

test("one entry too many drives out the one that was set longest ago", () => {
  const map = new BoundedMap<string, number>(2);
  for (const [i, key] of ["a", "b", "c"].entries()) map.set(key, i);
  assert.deepEqual([keysOf(map), map.size, map.get("a"), map.get("c")], [["b", "c"], 2, undefined, 2]);
});

test("setting again and using make an entry the youngest, reading does not", () => {
  const map = new BoundedMap<string, number>(3);
  for (const key of ["a", "b", "c"]) map.set(key, 1);
  map.set("a", 2);
  assert.equal(map.use("b"), 1);
  assert.equal(map.get("c"), 1);
  map.set("d", 1);
  assert.deepEqual(keysOf(map), ["a", "b", "d"]);
});

test("what was deleted makes room, and using what is not there changes nothing", () => {
  const map = new BoundedMap<string, number>(2);
  map.set("a", 1);
  map.set("b", 1);
  assert.equal(map.delete("a"), true);
  assert.equal(map.delete("a"), false);
  assert.equal(map.use("a"), undefined);
  map.set("c", 1);
  assert.deepEqual(keysOf(map), ["b", "c"]);
});
