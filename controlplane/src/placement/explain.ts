// Why a plan is what it is: the nodes that would have done, and what the others failed. It only looks: the
// books and the ranking are as the decision left them, so it must be asked before the plan is booked.
import type { Pool, PoolPlan } from "./pool.ts";
import { failuresOf, type PoolConstraint, type PoolRefusal } from "./pool-refusal.ts";

/** A node that would have done, with what it cost: less is better, in units of the policy. */
export interface Candidate {
  readonly node: string;
  readonly score: readonly number[];
}

/** What is known about a decision when it is made. */
export interface Reasons {
  /** Nodes by what they failed; nothing for a plan in a pool of more than `explainedNodesMax` nodes. */
  readonly failed: Partial<Record<PoolConstraint, number>>;
  /** The chosen node first, at most `candidatesMax`. */
  readonly candidates: readonly Candidate[];
}

/** Nodes that are named in an explanation: enough to see why the first one won. */
export const candidatesMax = 5;
/**
 * Larger pools name the best of each block of nodes, which the decision has looked at, and count no failures.
 */
export const explainedNodesMax = 64;

/** What is known about a plan before it is reserved. */
export function reasonsFor(pool: Pool, { request, kind, node }: PoolPlan): Reasons {
  const { books, ranking, labels } = pool;
  const scored = (of: number, cost: number): Candidate => ({ node: books.idOf(of), score: [cost] });
  const chosen = scored(node, ranking.costOn(kind, node) ?? 0);
  const missOn = labels.missesOf(request);
  if (books.nodes > explainedNodesMax) {
    const best = ranking
      .bestOfBlocks(kind, candidatesMax)
      .filter((one) => one.node !== node && missOn?.(one.node) === undefined);
    return {
      failed: {},
      candidates: [chosen, ...best.map((one) => scored(one.node, one.cost))].slice(0, candidatesMax),
    };
  }
  const others: Candidate[] = [];
  for (let other = 0; other < books.count; other += 1) {
    const cost = other === node || missOn?.(other) !== undefined ? undefined : ranking.costOn(kind, other);
    if (cost !== undefined) others.push(scored(other, cost));
  }
  others.sort((a, b) => (a.score[0] ?? 0) - (b.score[0] ?? 0) || (a.node < b.node ? -1 : 1));
  return {
    failed: failuresOf(books, kind, missOn),
    candidates: [chosen, ...others].slice(0, candidatesMax),
  };
}

/** What is known about a refusal. */
export function reasonsAgainst(refusal: PoolRefusal): Reasons {
  return { failed: "failed" in refusal ? refusal.failed : {}, candidates: [] };
}
