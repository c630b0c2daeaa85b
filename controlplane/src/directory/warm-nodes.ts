// Where sessions that sleep were last: a wake there may find the session's data in the node's memory.
// Bounded: who slept longest is forgotten.
import type { SessionToken } from "@voda/proto/session";

/** Sessions, about 100 bytes each. */
export const warmSessionsMax = 100_000;

export class WarmNodes {
  readonly #max: number;
  /** Node by session, the one that fell asleep first first. */
  readonly #nodes = new Map<SessionToken, string>();

  constructor(max = warmSessionsMax) {
    this.#max = max;
  }

  slept(token: SessionToken, node: string): void {
    this.#nodes.delete(token);
    this.#nodes.set(token, node);
    const [first] = this.#nodes.keys();
    if (this.#nodes.size > this.#max && first !== undefined) this.#nodes.delete(first);
  }

  woke(token: SessionToken): void {
    this.#nodes.delete(token);
  }

  of(token: SessionToken): string | undefined {
    return this.#nodes.get(token);
  }
}
