// What sessions in memory take of this node. The node is the authority over its capacity, with or without a
// grant.
import { type Agent, Isolation, type Resources } from "@voda/proto/api";
import type { DeviceShare } from "@voda/proto/grant";
import type { Capacity } from "@voda/proto/node";
import { type Failed, fail } from "../call/index.ts";
import type { DeviceBooks } from "./devices/index.ts";

/** When a caller that found no room should try again. */
const retryAfterMs = 1_000;

/** Books of cores, memory, disk and devices. A session that needs none of them always fits. */
export interface Admission {
  /**
   * Takes what a session of the agent needs and tells which devices it holds, or says why there is no room.
   */
  admit(
    agent: Agent,
    granted: readonly DeviceShare[] | undefined,
  ): { readonly devices: readonly DeviceShare[] } | Failed;
  release(agent: Agent, devices: readonly DeviceShare[]): void;
}

/**
 * Nothing is taken at first. `capacity` is what the node's lease says, so control planes count by the same
 * numbers.
 */
export function createAdmission(
  capacity: Pick<Capacity, "cpuMilli" | "memoryMib" | "diskMib">,
  books: DeviceBooks,
): Admission {
  let cpuMilli = 0;
  let memoryMib = 0;
  let diskMib = 0;

  // the agent's own numbers at its opening: a later deployment must not change what is given back
  const add = (resources: Resources | undefined, sign: 1 | -1): void => {
    cpuMilli += sign * (resources?.cpuMilli ?? 0);
    memoryMib += sign * (resources?.memoryMib ?? 0);
    diskMib += sign * (resources?.diskMib ?? 0);
  };
  const lack = (what: string, wanted: number, used: number, has: number): string | undefined =>
    used + wanted <= has
      ? undefined
      : `a session that takes ${wanted} ${what} does not fit: ${used} of ${has} are taken on this node`;
  let alone = 0;
  /** Who shares devices with the agent's sessions: those of the same tenant. */
  const tenantOf = ({ namespace, placement }: Agent): string => {
    if (placement?.isolation === Isolation.SHARED) return "shared";
    // a tenant that nobody else is
    if (placement?.isolation === Isolation.DEDICATED) return `dedicated ${(alone += 1)}`;
    return `namespace ${namespace}`;
  };
  const deviceProblem = (agent: Agent, granted: readonly DeviceShare[]): string | undefined => {
    const { name } = agent;
    if (granted.length === 0)
      return `agent ${name} needs a GPU, which only a placement of the control plane gives; retry`;
    const problem = books.take(granted, tenantOf(agent));
    return problem === undefined ? undefined : `agent ${name} needs a GPU: ${problem}; retry`;
  };

  return {
    admit(agent, granted = []) {
      const { resources } = agent;
      const {
        cpuMilli: cpu = 0,
        memoryMib: memory = 0,
        diskMib: disk = 0,
        gpuMilli = 0,
        gpuMemoryMib = 0,
      } = resources ?? {};
      const devices = gpuMilli > 0 || gpuMemoryMib > 0 ? granted : [];
      const problem =
        // devices last: the others leave nothing to give back
        lack("thousandths of a core", cpu, cpuMilli, capacity.cpuMilli) ??
        lack("MiB", memory, memoryMib, capacity.memoryMib) ??
        lack("MiB of disk", disk, diskMib, capacity.diskMib) ??
        (gpuMilli > 0 || gpuMemoryMib > 0 ? deviceProblem(agent, devices) : undefined);
      if (problem !== undefined) return fail("no_capacity", problem, { retryAfterMs });
      add(resources, 1);
      return { devices };
    },
    release({ resources }, devices) {
      add(resources, -1);
      books.give(devices);
    },
  };
}
