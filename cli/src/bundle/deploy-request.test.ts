import assert from "node:assert/strict";
import { test } from "node:test";
import { Isolation, MethodAccess } from "@voda/proto/api";
import { agent } from "voda";
import { definitionOf } from "voda/definition";
import { deployRequest } from "./deploy-request.ts";

const bundle = { code: "export default 1;", revision: "r" };

test("what an agent takes and where it may go are deployed as its definition says", () => {
  const rules = {
    gpuModels: ["NVIDIA H200"],
    labels: ["web"],
    affinity: ["cache"],
    antiAffinity: ["batch"],
    spread: "web",
  };
  for (const [isolation, wire] of [
    ["shared", Isolation.SHARED],
    ["process", Isolation.PROCESS],
    ["dedicated", Isolation.DEDICATED],
  ] as const) {
    const place = {
      cpuMilli: 250,
      memoryMiB: 64,
      gpu: 0.5,
      gpuMemoryMiB: 100,
      diskMiB: 512,
      isolation,
      ...rules,
    };
    const [deployed] = deployRequest(bundle, [definitionOf(agent("a", {}, { place }))]).agents;
    const { $typeName: _r, ...resources } = deployed?.resources ?? assert.fail();
    const { $typeName: _p, ...placement } = deployed?.placement ?? assert.fail();
    assert.deepEqual(resources, {
      cpuMilli: 250,
      memoryMib: 64,
      gpuMilli: 500,
      gpuMemoryMib: 100,
      diskMib: 512,
    });
    assert.deepEqual(placement, { ...rules, isolation: wire });
  }
});

test("who may call a method, how long and what it is for are deployed too", () => {
  const shop = agent("shop")
    .handler("tidy", { access: "internal", timeout: "2s", description: "Throws away." }, () => null)
    .handlers({ buy: () => null });
  const [deployed] = deployRequest(bundle, [definitionOf(shop)]).agents;
  const methods = deployed?.methods.map(({ name, access, turnMsMax, description }) => ({
    name,
    access,
    turnMsMax,
    description,
  }));
  assert.deepEqual(methods, [
    { name: "tidy", access: MethodAccess.INTERNAL, turnMsMax: 2_000, description: "Throws away." },
    { name: "buy", access: MethodAccess.PUBLIC, turnMsMax: 0, description: "" },
  ]);
});
