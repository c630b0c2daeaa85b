// What one connection may cost the others of a node. A reset, and a head that unfolds from a few bytes
// (HPACK), cost a client next to nothing and this thread much: without a bound one connection keeps all
// others waiting for seconds (CVE-2023-44487 and its kin).
import {
  headBytesBurst,
  headBytesFree,
  headBytesPerSecond,
  streamResetsBurst,
  streamResetsPerSecond,
} from "./limits.ts";

/** A bucket that fills with time, and may be drawn from as long as it is not empty. */
export class Allowance {
  readonly #burst: number;
  readonly #perSecond: number;
  #left: number;
  #atMs: number;

  constructor(limits: { readonly burst: number; readonly perSecond: number }, nowMs: number) {
    this.#burst = limits.burst;
    this.#perSecond = limits.perSecond;
    this.#left = limits.burst;
    this.#atMs = nowMs;
  }

  /** Whether there was something left. */
  draw(amount: number, nowMs: number): boolean {
    const filled = this.#left + ((nowMs - this.#atMs) / 1000) * this.#perSecond;
    this.#left = Math.min(this.#burst, filled) - amount;
    this.#atMs = nowMs;
    return this.#left >= 0;
  }
}

/**
 * Watches one connection. Envoy's carries the calls of many, who may cancel as many: once it has proved
 * itself nothing is counted.
 */
export class PeerGuard {
  readonly #resets: Allowance;
  readonly #headBytes: Allowance;
  isEdge = false;

  constructor(nowMs: number) {
    this.#resets = new Allowance({ burst: streamResetsBurst, perSecond: streamResetsPerSecond }, nowMs);
    this.#headBytes = new Allowance({ burst: headBytesBurst, perSecond: headBytesPerSecond }, nowMs);
  }

  /** Whether the connection may stay after another stream of it was reset. */
  allowsReset(nowMs: number): boolean {
    return this.isEdge || this.#resets.draw(1, nowMs);
  }

  /** Whether the connection may stay after a head of this size; ordinary ones are free. */
  allowsHead(bytes: number, nowMs: number): boolean {
    return this.isEdge || bytes <= headBytesFree || this.#headBytes.draw(bytes - headBytesFree, nowMs);
  }
}
