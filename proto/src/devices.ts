// GPUs as a node reports them and as `--gpus` declares them: what each must be, the same in every program
// that reads such a list.

export type Vendor = "nvidia" | "amd";

/** A GPU of a machine. */
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

/**
 * Why a device cannot be used, or `undefined`. Environment variables list ids with commas: an id has none,
 * and nothing else that a shell would read.
 */
export function deviceProblem({ uuid, model, memoryMib }: Device): string | undefined {
  const said = (what: string, value: unknown): string => `${what} ${JSON.stringify(value)}`;
  if (uuid.length > uuidCharactersMax)
    return said(`uuid of ${uuid.length} characters exceeds uuidCharactersMax ${uuidCharactersMax}:`, uuid);
  if (!/^[A-Za-z0-9][A-Za-z0-9._:-]*$/.test(uuid))
    return said("uuid is not made of letters, digits and ._:- :", uuid);
  if (model === "") return "model is empty";
  if (model.length > modelCharactersMax)
    return said(`model exceeds modelCharactersMax ${modelCharactersMax}:`, model);
  if (!Number.isInteger(memoryMib) || memoryMib < 1 || memoryMib > gpuMemoryMibMax)
    return said(`memoryMib is not 1 to gpuMemoryMibMax ${gpuMemoryMibMax}:`, memoryMib);
  return undefined;
}

/** Why these cannot be the devices of one machine, or `undefined`. */
export function devicesProblem(devices: readonly Device[]): string | undefined {
  const seen = new Set<string>();
  for (const { uuid } of devices) {
    if (seen.has(uuid)) return `two GPUs have the uuid ${JSON.stringify(uuid)}; each has its own`;
    seen.add(uuid);
  }
  return undefined;
}

/**
 * `[{"uuid": "GPU-1", "model": "H200", "memoryMib": 143771, "vendor": "nvidia"}]`; an unknown field is an
 * error.
 * @throws RangeError that says what is wrong, and in which entry
 */
export function readDevices(text: string): readonly Device[] {
  const entries = readList(text);
  const devices = entries.map((entry, at) => {
    const problem = isDevice(entry) ? deviceProblem(entry) : fieldsProblem(entry);
    if (problem !== undefined || !isDevice(entry)) throw new RangeError(`entry ${at + 1}: ${problem}`);
    return entry;
  });
  const problem = devicesProblem(devices);
  if (problem !== undefined) throw new RangeError(problem);
  return devices;
}

function readList(text: string): readonly unknown[] {
  let value: unknown;
  try {
    value = JSON.parse(text.replace(/^\uFEFF/, "")); // editors put a byte order mark there, which nobody sees
  } catch (cause) {
    throw new RangeError(`it is no JSON: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
  if (!Array.isArray(value)) throw new RangeError("it is not a list of GPUs");
  return value;
}

const isText = (value: unknown): boolean => typeof value === "string";
/** Of each field, what it must be. */
const fields: Readonly<Record<string, readonly [is: (value: unknown) => boolean, words: string]>> = {
  uuid: [isText, "a text"],
  model: [isText, "a text"],
  memoryMib: [(value) => typeof value === "number", "a number"],
  vendor: [(value) => value === "nvidia" || value === "amd", '"nvidia" or "amd"'],
};

const isDevice = (entry: unknown): entry is Device => fieldsProblem(entry) === undefined;

function fieldsProblem(entry: unknown): string | undefined {
  if (typeof entry !== "object" || entry === null || Array.isArray(entry))
    return `it is not an object of ${Object.keys(fields).join(", ")}: ${JSON.stringify(entry)}`;
  const values = new Map<string, unknown>(Object.entries(entry));
  for (const name of values.keys())
    if (!(name in fields)) return `${name} is no field; there are ${Object.keys(fields).join(", ")}`;
  for (const [name, [is, words]] of Object.entries(fields)) {
    if (!values.has(name)) return `${name} is missing`;
    if (!is(values.get(name))) return `${name} must be ${words}: ${JSON.stringify(values.get(name))}`;
  }
  return undefined;
}
