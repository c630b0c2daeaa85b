import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { PlacementDecisionSchema } from "@voda/proto/api";
import { explanation } from "./explain.ts";

const session = { namespace: "default", agent: "model", key: "a" };
const decidedMs = 1_795_275_234_717n;

test("a session with a part of a GPU: where it is, what it is now, its devices, and what the others scored", () => {
  const decision = create(PlacementDecisionSchema, {
    session,
    decidedMs,
    policy: "bpf",
    node: "n2",
    nodes: 3,
    message: "placed on n2",
    failed: { gpu_count: 1 },
    devices: [{ uuid: "GPU-1", milli: 500, memoryMib: 20_000 }],
    candidates: [
      { node: "n2", score: [12] },
      { node: "n1", score: [40.123456] },
    ],
  });
  assert.deepEqual(explanation(decision, "asleep").join("\n").split("\n"), [
    "model/a (now asleep); last decision, by bpf at 2026-11-21T15:33:54.717Z: placed on n2",
    "  GPU-1: 0.5 of it, 20000 MiB",
    "nodes looked at: 3; did not fit: gpu_count: 1",
    "CANDIDATE  SCORE",
    "n2         12",
    "n1         40.123",
    "the least score wins: hundredths of a GPU that the placement takes from what stays free",
  ]);
});

test("a session that was refused: the reason once, and what came closest", () => {
  const message = "none of 3 nodes fits (gpu_count: 3); nearest is n1: gpu_count wanted 9, free 6";
  const decision = create(PlacementDecisionSchema, {
    session,
    decidedMs,
    policy: "bestFit",
    nodes: 3,
    message,
    failed: { gpu_count: 3 },
    nearest: { node: "n1", constraint: "gpu_count", wanted: 9, free: 6 },
  });
  assert.deepEqual(explanation(decision, "unborn"), [
    `model/a (now unborn); last decision, by bestFit at 2026-11-21T15:33:54.717Z: ${message}`,
  ]);
});
