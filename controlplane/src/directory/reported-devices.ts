// Which of the devices that a node says a session holds can be put on its books: the books never exceed a device, whatever is said.
import type { DeviceShare, Gpu, NodeSnapshot } from "../placement/index.ts";

/** The shares that fit; one that does not is held by something that the books do not know yet, or know wrongly. */
export function fittingShares(node: NodeSnapshot, shares: readonly DeviceShare[]): readonly DeviceShare[] {
  const seen = new Set<string>();
  return shares.filter((share) => {
    const gpu = node.gpus.find(({ device }) => device.uuid === share.uuid);
    if (gpu === undefined || seen.has(share.uuid) || !fits(gpu, share)) return false;
    seen.add(share.uuid);
    return true;
  });
}

const milliWhole = 1000;

function fits({ device, state }: Gpu, share: DeviceShare): boolean {
  if (state.mode === "whole") return false;
  if (share.whole) return state.mode === "idle";
  const used = state.mode === "shared" ? state : { milli: 0, memoryMib: 0 };
  return used.milli + share.milli <= milliWhole && used.memoryMib + share.memoryMib <= device.memoryMib;
}
