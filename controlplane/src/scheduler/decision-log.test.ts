import assert from "node:assert/strict";
import { test } from "node:test";
import { sessionToken } from "@voda/proto/session";
import type { PoolRefusal } from "../placement/index.ts";
import type { Decision } from "./decision.ts";
import { createDecisionLog, decisionsMax } from "./decision-log.ts";

test("the log keeps the last decision of each session, and no more sessions than its bound", () => {
  const log = createDecisionLog();
  const decide = (key: string, decidedMs: number): void => {
    const name = { namespace: "default", agent: "a", key };
    const outcome: PoolRefusal = { type: "refusal", reason: "invalid", problem: "none" };
    const decision: Decision = {
      name,
      decidedMs,
      decidedAtMs: 0,
      outcome,
      policy: "bpf",
      nodes: 1,
      failed: {},
      candidates: [],
    };
    log.set(sessionToken(name), decision);
  };
  const token = sessionToken({ namespace: "default", agent: "a", key: "k" });
  decide("k", 1);
  decide("k", 2);
  assert.equal(log.get(token)?.decidedMs, 2);
  for (let i = 1; i < decisionsMax; i += 1) decide(`other-${i}`, 3);
  assert.equal(log.get(token)?.decidedMs, 2);
  decide("one more", 4);
  assert.equal(log.get(token), undefined);
});
