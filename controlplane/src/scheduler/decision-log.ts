// The last decision about each of the sessions that were placed of late. Bounded: what is older is forgotten.
import type { SessionToken } from "@voda/proto/session";
import type { Decision } from "./decision.ts";

/** Sessions whose last decision is kept: about 1 KiB each. */
export const decisionsMax = 10_000;
/** Nodes in all kept snapshots together, 8 bytes each: the latest 100 decisions of 10,000 nodes, or all of them of 100. */
export const snapshotNodesMax = 1_000_000;

export class DecisionLog {
  readonly #decisions = new Map<SessionToken, Decision>();
  /** Those that still have their snapshot, the oldest first. */
  readonly #whole = new Set<Decision>();
  #snapshotNodes = 0;

  add(decision: Decision): void {
    const token = decision.request.session;
    this.#forget(token);
    this.#decisions.set(token, decision);
    if (this.#decisions.size > decisionsMax) this.#forget(firstOf(this.#decisions.keys()));
    this.#whole.add(decision);
    this.#snapshotNodes += decision.snapshot?.nodes.length ?? 0;
    while (this.#snapshotNodes > snapshotNodesMax && this.#whole.size > 1) this.#dropSnapshot(firstOf(this.#whole));
  }

  get(token: SessionToken): Decision | undefined {
    return this.#decisions.get(token);
  }

  #forget(token: SessionToken | undefined): void {
    const known = token === undefined ? undefined : this.#decisions.get(token);
    if (known === undefined) return;
    this.#decisions.delete(known.request.session);
    this.#dropSnapshot(known);
  }

  #dropSnapshot(decision: Decision | undefined): void {
    if (decision === undefined || !this.#whole.delete(decision)) return;
    this.#snapshotNodes -= decision.snapshot?.nodes.length ?? 0;
    decision.snapshot = undefined;
  }
}

function firstOf<T>(values: Iterable<T>): T | undefined {
  for (const value of values) return value;
  return undefined;
}
