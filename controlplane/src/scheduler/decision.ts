// What the scheduler decided about a session, as it is told to people later.
import type { SessionName } from "@voda/proto/session";
import { isBetter, type Rank, rank } from "../placement/best-fit.ts";
import { type Constraint, type PlacementRequest, type Plan, place, type Refusal, type Snapshot } from "../placement/index.ts";

export interface Decision {
  readonly name: SessionName;
  readonly request: PlacementRequest;
  readonly decidedMs: number;
  readonly outcome: Plan | Refusal;
  readonly policy: "bpf" | "bestFit";
  /** As the policy scored them then; absent where the snapshot tells it. */
  readonly candidates: readonly Candidate[] | undefined;
  /** Nodes there were. */
  readonly nodes: number;
  /** The nodes as they were; absent in large pools, and dropped when `snapshotNodesMax` is reached. */
  snapshot: Snapshot | undefined;
}

export interface Candidate {
  readonly node: string;
  readonly score: readonly number[];
}

export interface Explanation {
  /** Nothing is known of it without the snapshot. */
  readonly failed: Partial<Record<Constraint, number>>;
  /** The best first, at most `candidatesMax`. */
  readonly candidates: readonly Candidate[];
}

export const candidatesMax = 5;

/** Asks the nodes as they were again, one by one: what each failed, or how best fit ranked it. */
export function explain({ snapshot, request, outcome, candidates }: Decision): Explanation {
  if (outcome.kind === "refusal") return { failed: outcome.failed, candidates: [] };
  if (snapshot === undefined) return { failed: {}, candidates: candidates ?? [] };
  const failed: Partial<Record<Constraint, number>> = {};
  const ranked: { readonly node: string; readonly score: Rank }[] = [];
  for (const node of snapshot.nodes) {
    const alone = place({ nodes: [node] }, request);
    if (alone.kind === "plan") ranked.push({ node: node.id, score: rank(node, request.resources, alone.allocation.devices) });
    else for (const constraint of constraintsOf(alone)) failed[constraint] = (failed[constraint] ?? 0) + 1;
  }
  const best = ranked.toSorted((a, b) =>
    isBetter(a.score, b.score) || (!isBetter(b.score, a.score) && a.node < b.node) ? -1 : 1,
  );
  return { failed, candidates: candidates ?? best.slice(0, candidatesMax) };
}

function constraintsOf({ failed }: Refusal): Constraint[] {
  return (Object.keys(failed) as Constraint[]).filter((constraint) => failed[constraint] > 0);
}
