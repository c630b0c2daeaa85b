// What a node knows of the leases of all nodes, from the watch of the bucket alone.
import { BoundedMap } from "@voda/stdx";
import type { LeaseValue } from "./lease-key.ts";

/** A node whose lease lives. */
export interface Member {
  readonly node: string;
  readonly incarnation: string;
  /** `ip:port`. */
  readonly ingress: string;
}

/**
 * Whether a lease has ended for ever. `unknown`: no news of it, ask for a proof; a lease that is not there
 * may be one that is not there yet.
 */
export type Ended = "yes" | "no" | "unknown";

/**
 * A lease is renewed each second; after this much silence of the watch nothing is said of it. A failover
 * takes 10 s at most.
 */
export const leaseSilenceMs = 12_000;
/** Ends and successors of so many incarnations; one that was forgotten is `unknown`, and costs a proof. */
const rememberedMax = 10_000;

interface Living extends Member {
  readonly heardAtMs: number;
}

/**
 * Everything here is of what the watch said; `nowMs` are monotonic times of this process. An end is for ever:
 * an entry that comes later for the same incarnation is an old one.
 */
export class Roster {
  readonly #living = new Map<string, Living>();
  /** Whether their process said so itself. */
  readonly #ended = new BoundedMap<string, boolean>(rememberedMax);
  /** Of an incarnation, the one that came after it in the same process. */
  readonly #successors = new BoundedMap<string, string>(rememberedMax);

  /** Returns whether somebody joined or ended. */
  apply(incarnation: string, entry: LeaseValue, nowMs: number): boolean {
    if (entry.type === "ended") return this.end(incarnation, entry.isClosed);
    // an old entry, delivered again
    if (entry.type === "unreadable" || this.#ended.has(incarnation)) return false;
    const { node, ingress, succeeds } = entry.lease;
    const isNew = !this.#living.has(incarnation);
    this.#living.set(incarnation, { node, incarnation, ingress, heardAtMs: nowMs });
    if (isNew && succeeds !== "") this.#successors.set(succeeds, incarnation);
    return isNew;
  }

  /** Whether that is news. Markers of the server say nothing of what an obituary said. */
  end(incarnation: string, isClosed: boolean): boolean {
    const before = this.#ended.get(incarnation);
    if (before === undefined || isClosed) this.#ended.set(incarnation, isClosed);
    return before === undefined && (this.#living.delete(incarnation), true);
  }

  ended(incarnation: string, nowMs: number): Ended {
    if (this.#ended.has(incarnation)) return "yes";
    return this.member(incarnation, nowMs) === undefined ? "unknown" : "no";
  }

  member(incarnation: string, nowMs: number): Member | undefined {
    const living = this.#living.get(incarnation);
    return living !== undefined && nowMs - living.heardAtMs < leaseSilenceMs ? living : undefined;
  }

  members(nowMs: number): Member[] {
    return [...this.#living.values()].filter((living) => nowMs - living.heardAtMs < leaseSilenceMs);
  }

  /** Whether the last life of its process said that it ends. */
  wasClosed(incarnation: string): boolean {
    const next = this.#successors.get(incarnation);
    return next === undefined ? this.#ended.get(incarnation) === true : this.wasClosed(next);
  }

  /** The living incarnation of the same process, which has the sessions of an ended one in memory. */
  successor(incarnation: string, nowMs: number): Member | undefined {
    let at = this.#successors.get(incarnation);
    // a process may have lapsed several times: the newest life has what the first one had
    while (at !== undefined) {
      const member = this.member(at, nowMs);
      if (member !== undefined) return member;
      at = this.#successors.get(at);
    }
    return undefined;
  }
}
