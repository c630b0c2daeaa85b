// What a session's devices mean for a process that runs on its behalf. docs/gpu.md says what each variable
// enforces.

import type { Device } from "@voda/proto/devices";
import type { DeviceShare } from "@voda/proto/grant";

/**
 * Names devices by id, never by index, so that no process of the node counts them differently. A session
 * without a device of a vendor sees none of that vendor's: the empty value hides them all. MPS counts the
 * memory limits by position among the visible devices.
 */
export function deviceEnvironment(
  devices: readonly Device[],
  shares: readonly DeviceShare[],
): Readonly<Record<string, string>> {
  const given = shares.map((share) => ({
    share,
    vendor: devices.find(({ uuid }) => uuid === share.uuid)?.vendor,
  }));
  const sharesOf = (vendor: Device["vendor"]): DeviceShare[] =>
    given.filter((one) => one.vendor === vendor).map((one) => one.share);
  const nvidia = sharesOf("nvidia");
  return {
    CUDA_VISIBLE_DEVICES: idsOf(nvidia),
    ROCR_VISIBLE_DEVICES: idsOf(sharesOf("amd")),
    ...mpsLimits(nvidia),
  };
}

function idsOf(shares: readonly DeviceShare[]): string {
  return shares.map(({ uuid }) => uuid).join(",");
}

/** Only for fractions: a whole GPU has no neighbour to limit. */
function mpsLimits(shares: readonly DeviceShare[]): Record<string, string> {
  const fractions = shares.filter((share) => !share.whole);
  if (fractions.length === 0) return {};
  const percent = Math.min(...fractions.map(({ milli }) => Math.max(1, Math.floor(milli / 10))));
  return {
    CUDA_MPS_ACTIVE_THREAD_PERCENTAGE: String(percent),
    CUDA_MPS_PINNED_DEVICE_MEM_LIMIT: shares
      .flatMap(({ whole, memoryMib }, at) => (whole ? [] : `${at}=${memoryMib}M`))
      .join(","),
  };
}
