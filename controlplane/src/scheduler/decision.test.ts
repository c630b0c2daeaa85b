import assert from "node:assert/strict";
import { test } from "node:test";
import { sessionToken } from "@voda/proto/session";
import { allocate, emptyNode, type NodeSnapshot, type PlacementRequest, place, type Resources } from "../placement/index.ts";
import { type Decision, explain } from "./decision.ts";
import { DecisionLog, decisionsMax, snapshotNodesMax } from "./decision-log.ts";
import { strandedMilli } from "./stranded.ts";

const half: Resources = { cpuMilli: 100, memoryMib: 64, gpu: { kind: "fraction", milli: 500, memoryMib: 0 } };
const whole: Resources = { cpuMilli: 100, memoryMib: 64, gpu: { kind: "whole", count: 1, memoryMib: 0 } };
const node = (id: string, gpus: number, cpuMilli = 1000): NodeSnapshot =>
  emptyNode({
    id,
    cpuMilli,
    memoryMib: 1024,
    gpus: Array.from({ length: gpus }, (_, i) => ({ uuid: `${id}-${i}`, model: "X", memoryMib: 1000 })),
  });

function decide(nodes: readonly NodeSnapshot[], resources: Resources, key = "k"): Decision {
  const name = { namespace: "default", agent: "a", key };
  const request: PlacementRequest = { session: sessionToken(name), namespace: "default", resources };
  return {
    name,
    request,
    decidedMs: 0,
    outcome: place({ nodes }, request),
    policy: "bestFit",
    candidates: undefined,
    nodes: nodes.length,
    snapshot: { nodes },
  };
}
function filled(one: NodeSnapshot, resources: Resources): NodeSnapshot {
  const { outcome } = decide([one], resources);
  assert.equal(outcome.kind, "plan");
  return allocate(one, outcome.allocation);
}

test("an explained plan has its own node first, and counts what the others failed", () => {
  const used = filled(node("used", 1), half);
  const decision = decide([node("empty", 1), used, node("none", 0), node("small", 1, 50)], half);
  assert.equal(decision.outcome.kind === "plan" ? decision.outcome.node : "", "used");
  const explained = explain(decision);
  assert.deepEqual(
    explained.candidates.map((one) => one.node),
    ["used", "empty"],
  );
  assert.deepEqual(explained.failed, { gpu_count: 1, cpu: 1 });
});

test("without its snapshot a decision keeps the scores that the policy gave", () => {
  const candidates = [{ node: "a", score: [3] }];
  const decision: Decision = { ...decide([node("a", 1)], half), candidates, snapshot: undefined };
  assert.deepEqual(explain(decision), { failed: {}, candidates });
});

test("an explained refusal is the refusal", () => {
  const explained = explain(decide([node("a", 0), { ...node("b", 1), ready: false }], half));
  assert.deepEqual([explained.failed["not_ready"], explained.candidates], [1, []]);
});

test("the log keeps the last decision of each session, and no more sessions than its bound", () => {
  const log = new DecisionLog();
  const [first, second] = [decide([node("a", 1)], half), decide([], half)];
  log.add(first);
  log.add(second);
  assert.equal(log.get(first.request.session), second);
  for (let i = 0; i < decisionsMax; i += 1) log.add(decide([], half, `other-${i}`));
  assert.equal(log.get(first.request.session), undefined);
});

test("snapshots of old decisions make room for those of new ones; the decision stays", () => {
  const log = new DecisionLog();
  const nodes = new Array<NodeSnapshot>(snapshotNodesMax / 2).fill(node("a", 0));
  const decisions = ["1", "2", "3"].map((key): Decision => ({ ...decide([node("a", 1)], half, key), snapshot: { nodes } }));
  for (const one of decisions) log.add(one);
  assert.deepEqual(
    decisions.map((one) => one.snapshot === undefined),
    [true, false, false],
  );
  const session = sessionToken({ namespace: "default", agent: "a", key: "1" });
  assert.equal(log.get(session), decisions[0]);
});

test("free GPU time is stranded where nothing that is deployed fits", () => {
  const quarter: Resources = { ...half, gpu: { kind: "fraction", milli: 250, memoryMib: 0 } };
  const nodes = [filled(node("a", 2), half), node("b", 1, 50), { ...node("c", 1), ready: false }];
  assert.equal(strandedMilli({ nodes }, [quarter]), 1000);
  assert.equal(strandedMilli({ nodes }, [whole]), 1500);
  assert.equal(strandedMilli({ nodes }, [whole, half]), 1000);
  assert.equal(strandedMilli({ nodes }, []), 2500);
});
