import assert from "node:assert/strict";
import { test } from "node:test";
import { type Amounts, Quotas } from "./quota.ts";

const one: Amounts = { sessions: 1, cpuMilli: 100, memoryMib: 64, gpuMilli: 500 };

test("a quota can be set, raised and taken away at any time, and counts what was placed before", () => {
  const quotas = new Quotas();
  quotas.take("red", one);
  assert.equal(quotas.missOf("red", one), undefined);
  quotas.set("red", { sessions: 1 });
  assert.deepEqual(quotas.missOf("red", one), { amount: "sessions", used: 1, wanted: 1, limit: 1 });
  assert.equal(quotas.missOf("blue", one), undefined);
  quotas.set("red", { sessions: 2 });
  assert.equal(quotas.missOf("red", one), undefined);
  quotas.set("red", { cpuMilli: 150 });
  assert.deepEqual(quotas.missOf("red", one), { amount: "cpuMilli", used: 100, wanted: 100, limit: 150 });
  quotas.set("red", undefined);
  assert.equal(quotas.missOf("red", one), undefined);
});

test("a quota below what is used takes nothing away and refuses only more of that amount", () => {
  const quotas = new Quotas();
  quotas.take("red", one);
  quotas.set("red", { gpuMilli: 100 });
  assert.deepEqual(quotas.usedBy("red"), one);
  assert.equal(quotas.missOf("red", { ...one, gpuMilli: 0 }), undefined);
  assert.equal(quotas.missOf("red", { ...one, gpuMilli: 1 })?.amount, "gpuMilli");
});

test("quotas are listed by namespace, and what was given to the constructor is left alone", () => {
  const given = new Map([["b", { sessions: 1 }]]);
  const quotas = new Quotas(given);
  quotas.set("a", { sessions: 0 });
  quotas.set("b", undefined);
  quotas.set("c", { memoryMib: 1 });
  assert.deepEqual(quotas.namespaces(), ["a", "c"]);
  assert.deepEqual([quotas.quotaOf("a"), quotas.quotaOf("b"), given.size], [{ sessions: 0 }, undefined, 1]);
});
