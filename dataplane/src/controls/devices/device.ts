// The GPUs of a node, and what may be wrong with a description of them.
import { type Device, deviceProblem, devicesProblem } from "@voda/proto/devices";
import { gpusPerNodeMax } from "@voda/proto/placement";
import { oneLine } from "@voda/stdx";

/** A description of GPUs that cannot be used; the message names where it is wrong and what it must be. */
export class DevicesError extends Error {
  override readonly name = "DevicesError";

  /** On one line: the message quotes files and what tools print. */
  constructor(message: string, options?: ErrorOptions) {
    super(oneLine(message), options);
  }
}

/** Checks one device. `where` names its place in what was read. @throws DevicesError */
export function checkDevice(device: Device, where: string): Device {
  const problem = deviceProblem(device);
  if (problem !== undefined) throw new DevicesError(`${where}: ${problem}`);
  return device;
}

/**
 * The part of a machine's GPUs that is one node's: of `count` nodes, the one with `index` has every
 * `count`-th. @throws DevicesError where two GPUs have one id, or the part is more than a node can have
 */
export function partOf(
  devices: readonly Device[],
  part: { readonly index: number; readonly count: number },
): readonly Device[] {
  const problem = devicesProblem(devices);
  if (problem !== undefined) throw new DevicesError(problem);
  const own = devices.filter((_, at) => at % part.count === part.index);
  if (own.length > gpusPerNodeMax)
    throw new DevicesError(`${own.length} GPUs exceed gpusPerNodeMax ${gpusPerNodeMax} of one node`);
  return own;
}
