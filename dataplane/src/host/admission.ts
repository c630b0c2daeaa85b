// What sessions in memory take of this node. The node is the authority over its capacity, with or without a grant.
import type { Agent, Resources } from "@voda/proto/api";
import type { Capacity } from "@voda/proto/node";
import { type Failed, fail } from "../invocation.ts";

/** When a caller that found no room should try again. */
const retryAfterMs = 1_000;

export interface Admission {
  /** Takes what a session of the agent needs, or says why there is no room. */
  admit(agent: Agent, granted: boolean): Failed | undefined;
  release(agent: Agent): void;
}

export function createAdmission(capacity: Capacity): Admission {
  let cpuMilli = 0;
  let memoryMib = 0;

  const add = (resources: Resources | undefined, sign: 1 | -1): void => {
    cpuMilli += sign * (resources?.cpuMilli ?? 0);
    memoryMib += sign * (resources?.memoryMib ?? 0);
  };
  const refusal = (what: string, wanted: number, used: number, has: number): Failed =>
    fail("no_capacity", `a session that takes ${wanted} ${what} does not fit: ${used} of ${has} are taken on this node`, {
      retryAfterMs,
    });

  return {
    admit({ name, resources }, granted) {
      if ((resources?.gpuMilli ?? 0) > 0 && !granted) {
        return fail("no_capacity", `agent ${name} needs a GPU, which only a placement of the control plane gives; retry`, {
          retryAfterMs,
        });
      }
      const [cpu, memory] = [resources?.cpuMilli ?? 0, resources?.memoryMib ?? 0];
      if (cpuMilli + cpu > capacity.cpuMilli) return refusal("thousandths of a core", cpu, cpuMilli, capacity.cpuMilli);
      if (memoryMib + memory > capacity.memoryMib) return refusal("MiB", memory, memoryMib, capacity.memoryMib);
      add(resources, 1);
      return undefined;
    },
    release({ resources }) {
      add(resources, -1);
    },
  };
}
