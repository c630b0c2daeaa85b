import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromJson, type MessageInitShape } from "@bufbuild/protobuf";
import {
  AgentSchema,
  DeployAgentsRequestSchema,
  Isolation,
  MethodMode,
  PlacementSchema,
} from "@voda/proto/api";
import { ControlError } from "../errors.ts";
import { bundleBytesMax, checkDeploy, checkSchema } from "./check-deploy.ts";

type AgentInit = MessageInitShape<typeof AgentSchema>;
const good = {
  namespace: "default",
  name: "counter",
  revision: "abc",
  fields: [{ name: "value", kind: "counter" }],
  methods: [{ name: "increment", mode: MethodMode.HANDLER }],
  idleMs: 1,
  turnMsMax: 1,
  queueMax: 1,
} satisfies AgentInit;
const request = (agents: AgentInit[], bundle = new Uint8Array(1)) =>
  create(DeployAgentsRequestSchema, { bundle, agents });

/** Reason and message of the refusal. */
function refusal(check: () => void): string {
  try {
    check();
  } catch (error) {
    assert.ok(error instanceof ControlError);
    return `${error.reason}: ${error.message}`;
  }
  return "accepted";
}
const deploy = (more: AgentInit): string =>
  refusal(() => checkDeploy(request([{ ...good, ...more }]), "abc"));

test("a good deployment is accepted", () => {
  assert.equal(deploy({}), "accepted");
});

test("rules of placement and the largest amounts are accepted", () => {
  const resources = { cpuMilli: 1_024_000, memoryMib: 16_777_216, diskMib: 16_777_216, gpuMilli: 64_000 };
  const placement = {
    gpuModels: ["NVIDIA H200"],
    isolation: Isolation.SHARED,
    labels: ["a"],
    affinity: ["a"],
    spread: "a",
  };
  assert.equal(deploy({ resources, placement }), "accepted");
  assert.equal(deploy({ resources: { gpuMemoryMib: 1 }, placement: { gpuModels: ["X"] } }), "accepted");
});

test("a bundle that is empty or too large is refused with both numbers", () => {
  assert.match(
    refusal(() => checkDeploy(request([good], new Uint8Array()), "abc")),
    /the bundle is empty/,
  );
  const large = new Uint8Array(bundleBytesMax + 1);
  assert.equal(
    refusal(() => checkDeploy(request([good], large), "abc")),
    "too_large: bundle of 16777217 bytes exceeds bundleBytesMax 16777216",
  );
});

test("a deployment without agents, or with one twice, is refused", () => {
  assert.match(
    refusal(() => checkDeploy(request([]), "abc")),
    /names no agent/,
  );
  assert.match(
    refusal(() => checkDeploy(request([good, good]), "abc")),
    /agent default\/counter is in the deployment twice/,
  );
});

test("what is wrong in a definition is named", () => {
  const method = good.methods[0];
  const many = Array.from({ length: 17 }, (_, at) => `l${at}`);
  const wrong: [AgentInit, RegExp][] = [
    [{ name: "Counter" }, /agent "Counter" is not a name/],
    [{ namespace: "a.b" }, /namespace "a.b" is not a name/],
    [{ revision: "def" }, /revision def is not the bundle's SHA-256 abc/],
    [
      { fields: [{ name: "v", kind: "heap" }] },
      /field v has kind "heap"; known are register, counter, map, text/,
    ],
    [{ fields: [{ name: "a b", kind: "map" }] }, /field "a b" is not a name/],
    [{ fields: [...good.fields, ...good.fields] }, /field value is there twice/],
    [{ methods: [{ name: "x" }] }, /method x is neither HANDLER nor READONLY/],
    [{ methods: [{ ...method, name: "x", service: "a.B" }] }, /names a service or an rpc without the other/],
    [{ methods: [{ ...method, name: "x", service: "a/B", rpc: "C" }] }, /"a\/B" is not a service/],
    [{ queueMax: 0 }, /queueMax is 0/],
    [{ resources: { gpuMilli: 1500 } }, /gpuMilli 1500 is neither/],
    [{ resources: { cpuMilli: 1_024_001 } }, /cpuMilli 1024001 exceeds 1024000/],
    [{ resources: { memoryMib: 16_777_217 } }, /memoryMib 16777217 exceeds 16777216/],
    [{ resources: { diskMib: 16_777_217 } }, /diskMib 16777217 exceeds 16777216/],
    [{ resources: { gpuMilli: 65_000 } }, /gpuMilli 65000 exceeds 64000/],
    [{ resources: { gpuMilli: 1, gpuMemoryMib: 16_777_217 } }, /gpuMemoryMib 16777217 exceeds 16777216/],
    [
      { placement: fromJson(PlacementSchema, { isolation: 7 }) },
      /isolation 7 is none of SHARED, PROCESS, DEDICATED/,
    ],
    [{ placement: { gpuModels: ["H200"] } }, /gpuModels needs gpuMilli or gpuMemoryMib/],
    [
      { resources: { gpuMilli: 1 }, placement: { gpuModels: [""] } },
      /gpuModels has "", which is not a model/,
    ],
    [{ placement: { labels: many } }, /labels has 17 labels; labelsMax is 16/],
    [{ placement: { affinity: ["a", "a"] } }, /affinity has "a" twice/],
    [{ placement: { antiAffinity: ["a b"] } }, /antiAffinity has "a b", which is not a label/],
    [
      { placement: { affinity: ["a"], antiAffinity: ["a"] } },
      /antiAffinity has "a", which is in affinity too/,
    ],
    [{ placement: { labels: ["a"], spread: "b" } }, /spread "b" is not among labels/],
  ];
  for (const [more, message] of wrong) assert.match(deploy(more), message);
});

test("what a method may take and say is bounded", () => {
  const method = { name: "increment", mode: MethodMode.HANDLER };
  assert.equal(
    deploy({ methods: [{ ...method, turnMsMax: 3_600_000, description: "x".repeat(1024) }] }),
    "accepted",
  );
  assert.match(deploy({ methods: [{ ...method, turnMsMax: 3_600_001 }] }), /exceeds turnMsMaxMax 3600000/);
  assert.match(
    deploy({ methods: [{ ...method, description: "x".repeat(1025) }] }),
    /1025 characters exceeds descriptionCharsMax 1024/,
  );
});

test("fields may come and go, but not become another kind", () => {
  const running = create(AgentSchema, good);
  const next = (fields: AgentInit["fields"]) => create(AgentSchema, { ...good, fields: fields ?? [] });
  assert.equal(
    refusal(() => checkSchema(running, next([{ name: "other", kind: "text" }]))),
    "accepted",
  );
  assert.match(
    refusal(() => checkSchema(running, next([{ name: "value", kind: "text" }]))),
    /^schema: agent counter: field value is a counter in the running revision and a text in the new one/,
  );
});

test("a field that is renamed is named, with its values' fate and the way out", () => {
  const running = create(AgentSchema, good);
  const next = (...names: string[]) =>
    create(AgentSchema, { ...good, fields: names.map((name) => ({ name, kind: "counter" })) });
  assert.equal(
    refusal(() => checkSchema(running, next("total"))),
    "schema: agent counter: field value is gone and total, a counter too, is new: a rename takes no values along, " +
      "sessions keep theirs under value. Keep that name; or, if both is meant, deploy without value first, then with total",
  );
  for (const step of [next(), next("value", "total")])
    assert.equal(
      refusal(() => checkSchema(running, step)),
      "accepted",
    );
});

test("workflows do not lose the handler that goes on with them", () => {
  const { methods } = good;
  const running = create(AgentSchema, {
    ...good,
    methods: [...methods, { name: "_workflow", mode: MethodMode.HANDLER }],
  });
  assert.match(
    refusal(() => checkSchema(running, create(AgentSchema, good))),
    /^schema: agent counter: the running revision has workflows, .*keep \.workflows\(\{\}\)/,
  );
  const fields = [
    { name: "value", kind: "counter" },
    { name: "_workflows", kind: "counter" },
  ];
  for (const next of [running, create(AgentSchema, { ...good, methods: running.methods, fields })])
    assert.equal(
      refusal(() => checkSchema(running, next)),
      "accepted",
    );
});
