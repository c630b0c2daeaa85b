// The last decision about each of the sessions that were placed of late. Bounded: what is older is forgotten.
import type { SessionToken } from "@voda/proto/session";
import type { Decision } from "./decision.ts";

/** Sessions whose last decision is kept: about 1 KiB each. */
export const decisionsMax = 10_000;

export class DecisionLog {
  /** The oldest first. */
  readonly #decisions = new Map<SessionToken, Decision>();

  add(token: SessionToken, decision: Decision): void {
    this.#decisions.delete(token);
    this.#decisions.set(token, decision);
    if (this.#decisions.size <= decisionsMax) return;
    for (const oldest of this.#decisions.keys()) {
      this.#decisions.delete(oldest);
      return;
    }
  }

  get(token: SessionToken): Decision | undefined {
    return this.#decisions.get(token);
  }
}
