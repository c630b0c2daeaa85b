import { randomBytes } from "node:crypto";
import type { Clock } from "@voda/stdx";
import type { Standing, World } from "../lane/index.ts";
import type { Membership } from "../membership/index.ts";

/** What lanes may ask of the node; `refresh` reads the clocks for the step that follows. */
export function createWorld(clock: Clock, membership: Membership): World & { refresh(): void } {
  let unique = 0;
  let wallMs = 0;
  let monotonicMs = 0;
  return {
    refresh() {
      wallMs = clock.wallMs();
      monotonicMs = clock.monotonicMs();
    },
    get wallMs() {
      return wallMs;
    },
    get monotonicMs() {
      return monotonicMs;
    },
    get incarnation() {
      return membership.incarnation;
    },
    // Read anew: the process may have been stopped since the step began.
    leaseValid: () => membership.isValid(),
    standing: (incarnation): Standing => membership.standing(incarnation),
    unique: () => {
      unique += 1;
      return unique;
    },
    birth: () => randomBytes(16),
  };
}
