import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromJson, type MessageInitShape } from "@bufbuild/protobuf";
import { AgentSchema, Isolation, PlacementSchema } from "@voda/proto/api";
import { sessionToken } from "@voda/proto/session";
import { Agents } from "./agents.ts";

const name = { namespace: "team", agent: "model", key: "a" };
function requestOf(definition: MessageInitShape<typeof AgentSchema>) {
  const agents = new Agents();
  agents.set(create(AgentSchema, { namespace: "team", name: "model", ...definition }));
  return agents.requestOf(name);
}

test("a session asks for all that its agent's definition names", () => {
  const request = requestOf({
    resources: { cpuMilli: 100, memoryMib: 64, gpuMilli: 500, gpuMemoryMib: 1000, diskMib: 2048 },
    placement: {
      gpuModels: ["NVIDIA H200"],
      isolation: Isolation.DEDICATED,
      labels: ["web", "eu"],
      affinity: ["cache"],
      antiAffinity: ["batch"],
      spread: "web",
    },
  });
  assert.deepEqual(request, {
    session: sessionToken(name),
    namespace: "team",
    resources: { cpuMilli: 100, memoryMib: 64, gpu: { type: "fraction", milli: 500, memoryMib: 1000 } },
    diskMib: 2048,
    models: ["NVIDIA H200"],
    isolation: "dedicated",
    labels: ["web", "eu"],
    affinity: ["cache"],
    antiAffinity: ["batch"],
    spreadLabel: "web",
  });
});

test("devices are shared inside the namespace unless the definition says otherwise, and with nobody under a class that is not known", () => {
  assert.equal(requestOf({}).isolation, "process");
  assert.equal(requestOf({ placement: {} }).isolation, "process");
  assert.equal(requestOf({ placement: { isolation: Isolation.SHARED } }).isolation, "shared");
  assert.equal(requestOf({ placement: fromJson(PlacementSchema, { isolation: 9 }) }).isolation, "dedicated");
});

test("a session of an agent that is not known asks for nothing", () => {
  const { resources, spreadLabel, ...rest } = new Agents().requestOf(name);
  assert.deepEqual(
    [resources, spreadLabel],
    [{ cpuMilli: 0, memoryMib: 0, gpu: { type: "none" } }, undefined],
  );
  assert.deepEqual([rest.diskMib, rest.models, rest.labels], [0, [], []]);
});
