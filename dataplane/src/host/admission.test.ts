import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { type Agent, AgentSchema } from "@voda/proto/api";
import { CapacitySchema } from "@voda/proto/node";
import { createAdmission } from "./admission.ts";

const admission = () => createAdmission(create(CapacitySchema, { cpuMilli: 1000, memoryMib: 100 }));
const agent = (cpuMilli: number, memoryMib: number, gpuMilli = 0): Agent =>
  create(AgentSchema, { name: "a", resources: { cpuMilli, memoryMib, gpuMilli } });

test("sessions are admitted up to the node's cores and not beyond", () => {
  const node = admission();
  assert.equal(node.admit(agent(600, 1), false), undefined);
  assert.equal(node.admit(agent(400, 1), false), undefined);
  const refusal = node.admit(agent(1, 1), false);
  assert.equal(refusal?.failure.reason, "no_capacity");
  assert.match(refusal?.failure.message ?? "", /1000 of 1000/);
  assert.ok((refusal?.failure.retryAfterMs ?? 0) > 0);
});

test("sessions are admitted up to the node's memory and not beyond, also with a grant", () => {
  const node = admission();
  assert.equal(node.admit(agent(0, 100), true), undefined);
  assert.equal(node.admit(agent(0, 1), true)?.failure.reason, "no_capacity");
});

test("what is given back can be taken again, and a refusal takes nothing", () => {
  const node = admission();
  for (let i = 0; i < 3; i += 1) {
    assert.equal(node.admit(agent(1000, 100), false), undefined);
    assert.notEqual(node.admit(agent(1000, 100), false), undefined);
    node.release(agent(1000, 100));
  }
});

test("an agent that needs a GPU is admitted with a grant alone", () => {
  const node = admission();
  assert.match(node.admit(agent(1, 1, 100), false)?.failure.message ?? "", /needs a GPU/);
  assert.equal(node.admit(agent(1, 1, 100), true), undefined);
});

test("an agent without needs always fits", () => {
  const node = admission();
  assert.equal(node.admit(agent(1000, 100), false), undefined);
  assert.equal(node.admit(create(AgentSchema, { name: "small" }), false), undefined);
});
