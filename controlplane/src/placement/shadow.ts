// What the active policy's choices cost against those of the reference policies: both are priced by what bid
// prices say that they destroy. Nothing is booked. A comparison looks at every node, so the references take
// turns in a share of time.
import { assert, prng } from "@voda/stdx";
import { isPriced, type PricedPolicy } from "./bid-price-fit.ts";
import { type PolicyName, policies } from "./policies.ts";
import type { Outlook, Policy } from "./policy.ts";
import type { Pool, PoolFollower, PoolPlan } from "./pool.ts";
import { Ranking } from "./ranking.ts";

/** Part of the time that comparisons may take. */
export const shadowTimeShareMax = 0.01;
/**
 * Kinds with kept costs per reference: comparisons are rare, and most nodes have changed by the next of a
 * kind.
 */
const shadowRows = 1;

/**
 * Of one reference; what is lost against it is `destroyedMilli - referenceDestroyedMilli`, and below 0 it is
 * saved.
 */
export interface ShadowCounters {
  /** Decisions that were compared with what the reference would have done. */
  readonly decisions: number;
  readonly sameNode: number;
  /** On the same devices of the same node. */
  readonly sameDevices: number;
  /** Value that the active policy destroyed in these decisions, in thousandths of a GPU. */
  readonly destroyedMilli: number;
  readonly referenceDestroyedMilli: number;
}

interface Reference {
  readonly name: PolicyName;
  readonly policy: Policy;
  readonly ranking: Ranking;
  counters: ShadowCounters;
}

const nothing: ShadowCounters = {
  decisions: 0,
  sameNode: 0,
  sameDevices: 0,
  destroyedMilli: 0,
  referenceDestroyedMilli: 0,
};

/** All policies but the active one. */
function referencesFor(active: string): readonly PolicyName[] {
  return (Object.keys(policies) as PolicyName[]).filter((name) => name !== active);
}

/**
 * Asks the other policies what they would have done, on the same books, and counts what would have been
 * lost.
 */
export class Shadow implements PoolFollower {
  readonly #pool: Pool;
  readonly #references: readonly Reference[];
  readonly #prices: PricedPolicy;
  #next = 0;
  #dueMs = 0;

  /** @throws AssertionError when neither the pool nor a reference has prices. */
  constructor(pool: Pool, names: readonly PolicyName[] = referencesFor(pool.policy.name)) {
    this.#pool = pool;
    this.#references = names.map((name, i) => {
      const policy = policies[name](pool.books);
      const ranking = new Ranking(pool.books, policy, prng(i + 1), shadowRows);
      return { name, policy, ranking, counters: nothing };
    });
    const prices = [pool.policy, ...this.#references.map(({ policy }) => policy)].find(isPriced);
    assert(prices !== undefined, "neither the pool's policy nor a reference has prices to compare by");
    this.#prices = prices;
    pool.follow(this);
  }

  /** Choices are compared by prices of one outlook. */
  adopted(outlook: Outlook): void {
    for (const { policy, ranking } of this.#references) {
      policy.adopt?.(outlook);
      ranking.forget();
    }
  }

  nodeChanged(node: number): void {
    for (const { policy, ranking } of this.#references) {
      policy.nodeChanged?.(node);
      ranking.forget();
    }
  }

  /** Whether comparisons have taken no more than their share of the time. */
  isDue(nowMs: number): boolean {
    return nowMs >= this.#dueMs;
  }

  /** Says how long the comparison took that ended now. What was not used of the share is not saved up. */
  compared(tookMs: number, nowMs: number): void {
    this.#dueMs = nowMs + tookMs * (1 / shadowTimeShareMax - 1);
  }

  /**
   * Compares a plan that was made and is not booked yet with what the next reference would have done. Places
   * on nodes that have no prices yet are not counted.
   * @throws AssertionError when the books have changed since the plan, or the reference finds no node: the
   * filter is the same.
   */
  compare({ request, kind, node, nodeId, mask, version }: PoolPlan): void {
    const reference = this.#references[this.#next];
    if (reference === undefined) return;
    this.#next = (this.#next + 1) % this.#references.length;
    assert(
      this.#pool.books.version[node] === version,
      `node ${nodeId} has changed since the plan for session ${request.session}`,
    );
    const { name, ranking, counters } = reference;
    const other = this.#pool.nodeFor(request, kind, { ranking });
    assert(
      other !== undefined,
      `${name} finds no node for session ${request.session}, which was planned for ${nodeId}`,
    );
    const otherMask = ranking.maskOn(kind, other);
    const destroyedMilli = this.#prices.destroyedMilli(node, kind, mask);
    const otherMilli = this.#prices.destroyedMilli(other, kind, otherMask);
    if (destroyedMilli === undefined || otherMilli === undefined) return;
    reference.counters = {
      decisions: counters.decisions + 1,
      sameNode: counters.sameNode + (other === node ? 1 : 0),
      sameDevices: counters.sameDevices + (other === node && otherMask === mask ? 1 : 0),
      destroyedMilli: counters.destroyedMilli + destroyedMilli,
      referenceDestroyedMilli: counters.referenceDestroyedMilli + otherMilli,
    };
  }

  counters(): ReadonlyMap<PolicyName, ShadowCounters> {
    return new Map(this.#references.map(({ name, counters }) => [name, counters]));
  }
}
