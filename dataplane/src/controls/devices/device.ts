// The GPUs of a node as it reports them, and what may be wrong with a description of them.
import { gpusPerNodeMax } from "@voda/proto/placement";
import { oneLine } from "@voda/stdx";

export type Vendor = "nvidia" | "amd";

export interface Device {
  /**
   * What the vendor's runtime calls it, kept over restarts: `CUDA_VISIBLE_DEVICES` and `ROCR_VISIBLE_DEVICES`
   * take it.
   */
  readonly uuid: string;
  readonly model: string;
  readonly memoryMib: number;
  readonly vendor: Vendor;
}

export const uuidCharactersMax = 48;
export const modelCharactersMax = 64;
/** MiB of one GPU: 16 TiB. */
export const gpuMemoryMibMax = 16 * 1024 * 1024;

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
  const { uuid, model, memoryMib } = device;
  const [wrong, is] = fieldProblem(uuid, model, memoryMib);
  if (wrong !== undefined) throw new DevicesError(`${where}: ${wrong} ${JSON.stringify(is)}`);
  return device;
}

/** Environment variables list ids with commas: an id has none, and nothing else that a shell would read. */
function fieldProblem(
  uuid: string,
  model: string,
  memoryMib: number,
): readonly [string?, (string | number)?] {
  if (uuid.length > uuidCharactersMax)
    return [`uuid of ${uuid.length} characters exceeds uuidCharactersMax ${uuidCharactersMax}:`, uuid];
  if (!/^[A-Za-z0-9][A-Za-z0-9._:-]*$/.test(uuid))
    return ["uuid is not made of letters, digits and ._:- :", uuid];
  if (model === "") return ["model is empty:", model];
  if (model.length > modelCharactersMax)
    return [`model exceeds modelCharactersMax ${modelCharactersMax}:`, model];
  if (!Number.isInteger(memoryMib) || memoryMib < 1 || memoryMib > gpuMemoryMibMax)
    return [`memory is not 1 to gpuMemoryMibMax ${gpuMemoryMibMax} MiB:`, memoryMib];
  return [];
}

/** Checks what devices of one node must be together. @throws DevicesError */
export function checkDevices(devices: readonly Device[]): readonly Device[] {
  if (devices.length > gpusPerNodeMax)
    throw new DevicesError(`${devices.length} GPUs exceed gpusPerNodeMax ${gpusPerNodeMax} of one node`);
  const seen = new Set<string>();
  for (const { uuid } of devices) {
    if (seen.has(uuid))
      throw new DevicesError(`two GPUs have the uuid ${JSON.stringify(uuid)}; each has its own`);
    seen.add(uuid);
  }
  return devices;
}

/**
 * The part of a machine's GPUs that is one node's: of `count` nodes, the one with `index` has every
 * `count`-th.
 */
export function partOf(
  devices: readonly Device[],
  part: { readonly index: number; readonly count: number },
): readonly Device[] {
  return devices.filter((_, at) => at % part.count === part.index);
}
