// The one type of all policies: a cost per node, lower is better. Ranking the costs and keeping them is
// `ranking.ts`.
import type { Books } from "./books.ts";
import type { Kind } from "./kind.ts";

/**
 * Decides between nodes of equal cost: the first in the pool's order, the fullest, or any with equal chance.
 */
export type Tie = "first" | "fullest" | "any";

/** A kind and its part of the arrivals: parts of a mix sum to 1. */
export interface KindShare {
  readonly kind: Kind;
  readonly share: number;
}

/** What is known about the stream of requests when prices are made. */
export interface Outlook {
  readonly mix: readonly KindShare[];
  /** Departures per arrival of late: 0 while a pool fills, 1 when it is steady. */
  readonly churn: number;
}

/** Ranks places: a pure function of the books and of what it has adopted. Less is better. */
export interface Policy {
  readonly name: string;
  readonly tie: Tie;
  /**
   * Cost of a kind on a node that fits it: a whole number of 31 bits. For a fraction it leaves its choice of
   * device in `chosen.device`, or -1 for the tightest one.
   */
  readonly cost: (node: number, kind: Kind) => number;
  readonly chosen: { device: number };
  /** Makes new prices; absent when the policy needs no outlook. All costs of before are void afterwards. */
  readonly adopt?: (outlook: Outlook) => void;
  /** A node came to this slot, or went from it. Tells whether new prices are wanted for it. */
  readonly nodeChanged?: (node: number) => boolean;
}

/** Binds a policy to the books that it ranks. */
export type PolicyOf = (books: Books) => Policy;
