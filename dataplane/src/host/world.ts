// What lanes may ask of the node.
import { randomBytes } from "node:crypto";
import type { Clock } from "@voda/stdx";
import type { Incarnation, Standing } from "../lane/index.ts";
import type { Membership } from "../membership/index.ts";
import type { HostWorld } from "../reactor/index.ts";

/** What the world knows of leases. */
export type KnownLeases = Pick<
  Membership,
  "incarnation" | "storeMs" | "leaseLeftMs" | "ended" | "successor" | "wasClosed" | "prove"
>;

export function createWorld(
  clock: Pick<Clock, "monotonicMs">,
  membership: KnownLeases,
  unique: () => number,
): HostWorld {
  let monotonicMs = 0;
  const proving = new Set<Incarnation>();

  /** Lanes are told of the proof as of every other end of a lease. */
  const prove = (incarnation: Incarnation): void => {
    if (proving.has(incarnation)) return;
    proving.add(incarnation);
    void membership.prove(incarnation).finally(() => proving.delete(incarnation));
  };
  return {
    refresh() {
      monotonicMs = clock.monotonicMs();
    },
    get storeMs() {
      return membership.storeMs(monotonicMs);
    },
    get monotonicMs() {
      return monotonicMs;
    },
    get incarnation() {
      return membership.incarnation();
    },
    // Computed anew at each question: the process may have been stopped since the pass began.
    leaseValid: () => membership.leaseLeftMs() > 0,
    standing(incarnation): Standing {
      const ended = membership.ended(incarnation);
      if (ended === "yes")
        return { type: "ended", successor: membership.successor(incarnation)?.incarnation };
      if (ended === "unknown") prove(incarnation);
      return { type: "living" };
    },
    wasClosed: (incarnation) => membership.wasClosed(incarnation),
    unique,
    birth: () => randomBytes(16),
  };
}
