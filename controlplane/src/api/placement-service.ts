// PlacementService: why sessions are where they are, and what was counted.
import type { ServiceImpl } from "@connectrpc/connect";
import type { PlacementService } from "@voda/proto/api";
import { sessionToken } from "@voda/proto/session";
import { ControlError } from "../errors.ts";
import { describePoolRefusal, type ShadowCounters } from "../placement/index.ts";
import type { Decision, Scheduler } from "../scheduler/index.ts";
import { nameOf } from "./refs.ts";

export function placementService({
  scheduler,
}: {
  readonly scheduler: Scheduler;
}): ServiceImpl<typeof PlacementService> {
  return {
    explainPlacement(request) {
      const name = nameOf(request.session);
      const decision = scheduler.decisionOf(sessionToken(name));
      if (decision !== undefined) return { decision: describe(decision) };
      const session = `${name.agent}/${name.key}`;
      const why = "it was not placed by this control plane, or long ago; put it to sleep and call it again";
      throw ControlError.of("decision_not_found", `no decision about session ${session} is known: ${why}`);
    },
    getPlacementCounters() {
      const { decisions, refusals, strandedMilli, shadow, rooms } = scheduler.counters();
      const counts = [...refusals].map(([reason, count]) => [reason, BigInt(count)] as const);
      const compared = [...shadow].map(([policy, counters]) => [policy, describeShadow(counters)] as const);
      return {
        decisions: BigInt(decisions),
        refusals: Object.fromEntries(counts),
        strandedGpuMilli: strandedMilli,
        shadow: Object.fromEntries(compared),
        roomsMade: BigInt(rooms.made),
        sleptForRoom: BigInt(rooms.slept),
        busyForRoom: BigInt(rooms.busy),
      };
    },
  };
}

function describeShadow(counters: ShadowCounters) {
  const { destroyedMilli, referenceDestroyedMilli } = counters;
  return {
    decisions: BigInt(counters.decisions),
    sameNode: BigInt(counters.sameNode),
    sameDevices: BigInt(counters.sameDevices),
    destroyedMilli,
    policyDestroyedMilli: referenceDestroyedMilli,
    lostMilli: destroyedMilli - referenceDestroyedMilli,
  };
}

function describe(decision: Decision) {
  const { name, decidedMs, outcome, policy, nodes, candidates } = decision;
  const failed = Object.entries(decision.failed).filter(([, count]) => count > 0);
  return {
    session: name,
    decidedMs: BigInt(Math.floor(decidedMs)),
    policy,
    nodes,
    failed: Object.fromEntries(failed),
    candidates: candidates.map(({ node, score }) => ({ node, score: [...score] })),
    ...(outcome.type === "plan"
      ? { node: outcome.node.id, devices: [...outcome.devices], message: `placed on ${outcome.node.id}` }
      : { message: describePoolRefusal(outcome), ...("nearest" in outcome && { nearest: outcome.nearest }) }),
  };
}
