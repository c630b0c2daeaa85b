import assert from "node:assert/strict";
import { test } from "node:test";
import { Isolation } from "@voda/proto/api";
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
