import assert from "node:assert/strict";
import { test } from "node:test";
import { recent } from "./recent.ts";

function counting(max: number): { ask: (text: string) => { text: string }; made: string[] } {
  const made: string[] = [];
  const ask = recent(max, (text) => {
    made.push(text);
    return { text };
  });
  return { ask, made };
}

test("what was made lately is given again", () => {
  const { ask, made } = counting(4);
  const first = ask("a");
  for (let i = 0; i < 100; i += 1) assert.equal(ask("a"), first);
  assert.deepEqual(made, ["a"]);
});

test("what is asked for again and again outlives any number of others, and the others go", () => {
  const { ask, made } = counting(4);
  for (let i = 0; i < 100; i += 1) assert.equal(ask("a").text === ask(`${i}`).text, false);
  assert.equal(made.filter((text) => text === "a").length, 1);
  ask("0");
  assert.equal(made.filter((text) => text === "0").length, 2);
});

test("what cannot be made is not remembered", () => {
  let fails = true;
  const ask = recent(4, (text) => {
    if (fails) throw new RangeError(text);
    return text;
  });
  assert.throws(() => ask("a"), RangeError);
  fails = false;
  assert.equal(ask("a"), "a");
});
