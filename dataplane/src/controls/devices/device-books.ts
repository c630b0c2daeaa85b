// What sessions in memory hold of this node's GPUs. The node is the authority: no device is ever given beyond
// what it has, none is held whole and shared at once, and none is shared by two tenants, whatever a grant
// says.

import type { Device } from "@voda/proto/devices";
import type { DeviceShare } from "@voda/proto/grant";
import { gpuMilliWhole } from "@voda/proto/placement";

/**
 * A device is free, held whole by one session, or shared in thousandths and MiB by sessions of one tenant.
 */
export interface DeviceBooks {
  /**
   * Takes all of the shares or none of them; a text says which one does not fit, and why. Only equal tenants
   * share a device.
   */
  take(shares: readonly DeviceShare[], tenant: string): string | undefined;
  /** Gives back exactly what was taken. */
  give(shares: readonly DeviceShare[]): void;
}

interface Held {
  milli: number;
  memoryMib: number;
  sessions: number;
  isWhole: boolean;
  /** Of the sessions that share it; what it was counts no more when none does. */
  tenant: string;
}

/** `devices`: all that the node has; a share of another one never fits. */
export function createDeviceBooks(devices: readonly Device[]): DeviceBooks {
  const byUuid = new Map(devices.map((device) => [device.uuid, device]));
  const held = new Map<string, Held>(
    devices.map(({ uuid }) => [uuid, { milli: 0, memoryMib: 0, sessions: 0, isWhole: false, tenant: "" }]),
  );

  const problemOf = (share: DeviceShare, tenant: string): string | undefined => {
    const device = byUuid.get(share.uuid);
    const used = held.get(share.uuid);
    if (device === undefined || used === undefined) return `this node has no GPU ${share.uuid}`;
    if (used.isWhole) return `GPU ${share.uuid} is taken whole`;
    if (share.whole)
      return used.sessions === 0
        ? undefined
        : `GPU ${share.uuid} is shared by ${used.sessions} sessions, not free as a whole`;
    if (used.sessions > 0 && used.tenant !== tenant)
      return `GPU ${share.uuid} is shared by ${used.sessions} sessions that it may not be shared with`;
    return (
      lack("thousandths", share.milli, used.milli, gpuMilliWhole) ??
      lack("MiB", share.memoryMib, used.memoryMib, device.memoryMib)
    );
    function lack(what: string, wanted: number, taken: number, all: number): string | undefined {
      // a negative amount would give others more than there is
      if (!Number.isInteger(wanted) || wanted < 0)
        return `${wanted} ${what} of GPU ${share.uuid} are no amount`;
      return taken + wanted <= all
        ? undefined
        : `${wanted} ${what} of GPU ${share.uuid} do not fit: ${taken} of ${all} are taken`;
    }
  };
  const change = (share: DeviceShare, sign: 1 | -1): void => {
    const used = held.get(share.uuid);
    if (used === undefined) return;
    used.sessions += sign;
    if (share.whole) {
      used.isWhole = sign === 1;
    } else {
      used.milli += sign * share.milli;
      used.memoryMib += sign * share.memoryMib;
    }
  };

  return {
    take(shares, tenant) {
      for (const [at, share] of shares.entries()) {
        const problem = problemOf(share, tenant);
        if (problem !== undefined) {
          // all or nothing: a session with half of its devices could not run, and would keep others from them
          for (const taken of shares.slice(0, at)) change(taken, -1);
          return problem;
        }
        change(share, 1);
        const taken = held.get(share.uuid);
        if (taken !== undefined) taken.tenant = tenant;
      }
      return undefined;
    },
    give(shares) {
      for (const share of shares) change(share, -1);
    },
  };
}
