import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { AgentSchema, MethodMode } from "@voda/proto/api";
import { agent, s } from "voda";
import { definitionOf } from "voda/definition";
import { definitionProblem } from "./definition-problem.ts";

const counter = definitionOf(
  agent("counter", { count: s.counter() })
    .readonly({ get: () => 1 })
    .handlers({ add: () => 1 }),
);
const problem = (deployed: MessageInitShape<typeof AgentSchema>, bundle = [counter]) =>
  definitionProblem(create(AgentSchema, { name: "counter", ...deployed }), bundle);

test("a bundle that has at least what was deployed does", () => {
  const fields = [{ name: "count", kind: "counter" }];
  const methods = [
    { name: "get", mode: MethodMode.READONLY },
    { name: "add", mode: MethodMode.HANDLER },
  ];
  assert.equal(problem({ fields, methods }), undefined);
  assert.equal(problem({}, [{ ...counter, name: "other" }, counter]), undefined);
});

test("an agent, a field or a method that the bundle has not, or has otherwise, is named", () => {
  assert.equal(problem({ name: "x" }), "the bundle has no agent x; it has: counter");
  assert.equal(problem({}, []), "the bundle has no agent counter; it has: none");
  assert.equal(
    problem({ fields: [{ name: "count", kind: "map" }] }),
    "agent counter of the bundle has no field count of kind map",
  );
  assert.equal(
    problem({ methods: [{ name: "add", mode: MethodMode.READONLY }] }),
    "agent counter of the bundle has no readonly method add",
  );
  assert.equal(
    problem({ methods: [{ name: "get", mode: MethodMode.HANDLER }] }),
    "agent counter of the bundle has no handler method get",
  );
});
