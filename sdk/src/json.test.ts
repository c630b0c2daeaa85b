import assert from "node:assert/strict";
import { test } from "node:test";
import { jsonProblem, sentProblem } from "./json.ts";

const problem = (value: unknown): string | undefined => sentProblem(value, "it");

test("what JSON would change is named with its path and what to send instead", () => {
  class Meter {
    readonly #value = 2;
    toJSON = (): number => this.#value;
  }
  const cases: readonly (readonly [unknown, string | undefined])[] = [
    [
      { at: [{ when: new Date(0) }] },
      "it.at[0].when is Date, which JSON does not have; send its toISOString()",
    ],
    [new Response(), "it is Response, which JSON does not have; send what its json() gives: await that"],
    [new Map(), "it is Map, which JSON does not have; send Object.fromEntries(...) of it"],
    [[1, new Set()], "it[1] is Set, which JSON does not have; send an array of it"],
    [{ a: Buffer.from("x") }, "it.a is Uint8Array, which JSON does not have; send its base64"],
    [{ a: Number.NaN }, "it.a is NaN, which JSON does not have"],
    [-Infinity, `it is -Infinity, which JSON does not have; send a number down to -${Number.MAX_VALUE}`],
    [{ v: Promise.resolve(1) }, "it.v is Promise, which JSON does not have; send what it gives: await it"],
    [1n, "it is BigInt, which JSON does not have; send it as text"],
    [{ f: () => 1 }, "it.f is function, which JSON does not have"],
    [[undefined], "it[0] is undefined, which JSON does not have"],
    [new Array(1), "it[0] is undefined, which JSON does not have"],
    [new Error("x"), "it is Error, which JSON does not have"],
    [
      { deep: { toJSON: () => ({ d: new Date(0) }) } },
      "it.deep.d is Date, which JSON does not have; send its toISOString()",
    ],
    [new Meter(), undefined],
    [{ a: undefined, b: null, c: ["", 0, false] }, undefined],
  ];
  for (const [value, said] of cases) assert.equal(problem(value), said);
});

test("what holds itself is refused, not walked for ever", () => {
  const self: unknown[] = [{ a: 1 }];
  self.push(self, self);
  assert.equal(problem(self), "it[1] is it again: what holds itself has no JSON");
  const order: { lines: { order?: object }[] } = { lines: [{}] };
  Object.assign(order.lines[0] ?? {}, { order });
  assert.equal(
    problem({ order }),
    "it.order.lines[0].order is it.order again: what holds itself has no JSON",
  );
  assert.equal(
    jsonProblem({ order }),
    "it.order.lines[0].order is it.order again: what holds itself has no JSON",
  );
});

test("what is nested too deep shows where its path begins", () => {
  let deep: unknown = 1;
  for (let i = 0; i < 50_000; i += 1) deep = { a: deep };
  const path = `it${".a".repeat(99)}... (2002 characters)`;
  assert.equal(problem(deep), `${path} is nested deeper than bodyDepthMax 1000`);
});

test("a message stays short, whatever names the value has", () => {
  const long = "a".repeat(100_000);
  const self: Record<string, unknown> = {};
  self[long] = { [long]: self };
  for (const value of [{ [long]: 1n }, { [long]: { [long]: Number.NaN } }, self])
    for (const said of [problem(value), jsonProblem(value)])
      assert.match(said ?? "", /^it\.a{197}\.\.\. \(\d+ characters\) is .{1,60}$/);
});
