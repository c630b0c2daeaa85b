import assert from "node:assert/strict";
import { test } from "node:test";
import { type Edit, groupEdits, toCodeUnits } from "./editing-trace.ts";

function apply(start: string, edits: readonly Edit[]): string {
  return edits.reduce(
    (text, [at, deleted, inserted]) => text.slice(0, at) + inserted + text.slice(at + deleted),
    start,
  );
}

test("positions stay as they are while no character needs two code units", () => {
  const edits: Edit[] = [
    [0, 0, "hello"],
    [5, 0, " wörld"],
    [0, 1, "J"],
  ];
  assert.deepEqual(toCodeUnits("", edits), edits);
});

test("positions after a surrogate pair count it twice", () => {
  const edits = toCodeUnits("a😀b", [
    [2, 1, "c"],
    [1, 1, ""],
    [2, 0, "😀😀"],
    [3, 1, "!"],
  ]);
  assert.equal(apply("a😀b", edits), "ac😀!");
});

test("groups keep the order and leave no edit out", () => {
  const edits = Array.from({ length: 35 }, (_, i): Edit => [i, 0, "x"]);
  const groups = groupEdits(edits, 16);
  assert.deepEqual(
    groups.map((group) => group.length),
    [16, 16, 3],
  );
  assert.deepEqual(groups.flat(), edits);
});
