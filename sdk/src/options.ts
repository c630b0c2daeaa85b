// Options of an agent and what follows from them.
import { type Duration, type DurationRange, durationMs } from "./duration.ts";

/** What each session that is awake takes from its node; the mesh packs sessions by it. */
export interface Place {
  /** Thousandths of a core, 0 to 1,024,000. Default 0. */
  readonly cpuMilli?: number;
  /** Memory in MiB, 0 to 16,777,216. Default 1. */
  readonly memoryMiB?: number;
  /** A fraction of one GPU (0.001 to 0.999, in thousandths) or 1 to 64 whole ones. Default 0: none. */
  readonly gpu?: number;
  /** Memory of each GPU in MiB, 0 to 16,777,216; only with `gpu`. Default 0: as large as the fraction of the GPU. */
  readonly gpuMemoryMiB?: number;
}

/** Options of an agent. */
export interface AgentOptions {
  /** A session without work for this long goes to sleep: 10 ms to 7 days. Default 5 minutes. */
  readonly idle?: Duration;
  /** A turn that runs longer is cancelled and undone with `deadline_exceeded`: 1 ms to 1 hour. Default 1 minute. */
  readonly maxTurn?: Duration;
  /** Calls that may wait for one session, 1 to 65,536; one more is refused with `resource_exhausted`. Default 256. */
  readonly maxQueue?: number;
  /** How long answers are kept for the callers' idempotency keys: 1 s to 1 day. Default 10 minutes. */
  readonly dedupe?: Duration;
  /** What a session takes from its node. */
  readonly place?: Place;
}

/** What a session takes from its node, in whole units. */
export interface Resources {
  /** Thousandths of a core. */
  readonly cpuMilli: number;
  readonly memoryMib: number;
  /** Thousandths of one GPU, or whole GPUs as multiples of 1000. */
  readonly gpuMilli: number;
  /** Of each GPU; 0 leaves it to the fraction. */
  readonly gpuMemoryMib: number;
}

/** The options with their defaults, as plain data. */
export interface Limits {
  readonly resources: Resources;
  readonly idleMs: number;
  readonly turnMsMax: number;
  readonly queueMax: number;
  readonly dedupeMs: number;
}

const idleRange: DurationRange = { minMs: 10, maxMs: 7 * 86_400_000 };
const turnRange: DurationRange = { minMs: 1, maxMs: 3_600_000 };
const dedupeRange: DurationRange = { minMs: 1_000, maxMs: 86_400_000 };
const queueMaxMax = 65_536;
const cpuMilliMax = 1_024_000;
const memoryMibMax = 16_777_216;
const wholeGpusMax = 64;

const optionNames: ReadonlySet<string> = new Set(["idle", "maxTurn", "maxQueue", "dedupe", "place"]);
const placeNames: ReadonlySet<string> = new Set(["cpuMilli", "memoryMiB", "gpu", "gpuMemoryMiB"]);

/** @throws TypeError for an unknown or malformed option, RangeError for one out of range */
export function limitsOf(agent: string, options: AgentOptions): Limits {
  const what = (option: string): string => `agent ${agent}: ${option}`;
  refuseUnknown(`agent ${agent}: option`, options, optionNames);
  return {
    resources: resourcesOf(what, options.place ?? {}),
    idleMs: durationMs(what("idle"), options.idle ?? "5m", idleRange),
    turnMsMax: durationMs(what("maxTurn"), options.maxTurn ?? "1m", turnRange),
    queueMax: whole(what("maxQueue"), options.maxQueue ?? 256, 1, queueMaxMax),
    dedupeMs: durationMs(what("dedupe"), options.dedupe ?? "10m", dedupeRange),
  };
}

function resourcesOf(what: (option: string) => string, place: Place): Resources {
  refuseUnknown(what("place option"), place, placeNames);
  const gpuMilli = gpuMilliOf(what("place.gpu"), place.gpu ?? 0);
  const gpuMemoryMib = whole(what("place.gpuMemoryMiB"), place.gpuMemoryMiB ?? 0, 0, memoryMibMax);
  if (gpuMemoryMib > 0 && gpuMilli === 0) throw new RangeError(`${what("place.gpuMemoryMiB")} needs place.gpu`);
  return {
    cpuMilli: whole(what("place.cpuMilli"), place.cpuMilli ?? 0, 0, cpuMilliMax),
    memoryMib: whole(what("place.memoryMiB"), place.memoryMiB ?? 1, 0, memoryMibMax),
    gpuMilli,
    gpuMemoryMib,
  };
}

function gpuMilliOf(what: string, gpu: number): number {
  const milli = Math.round(gpu * 1000);
  const isWhole = Number.isInteger(gpu) && gpu >= 0 && gpu <= wholeGpusMax;
  const isFraction = gpu > 0 && gpu < 1 && Math.abs(gpu * 1000 - milli) < 1e-6;
  if (!isWhole && !isFraction)
    throw new RangeError(
      `${what} of ${gpu} is neither a fraction of one GPU in thousandths (0.25) nor 0 to ${wholeGpusMax} whole GPUs`,
    );
  return milli;
}

function whole(what: string, value: number, min: number, max: number): number {
  if (!Number.isInteger(value) || value < min || value > max)
    throw new RangeError(`${what} of ${value} is not a whole number of ${min} to ${max}`);
  return value;
}

/** @throws TypeError when it is not an object or has a name that is not known */
export function refuseUnknown(what: string, value: object, known: ReadonlySet<string>): void {
  if (typeof value !== "object" || value === null) throw new TypeError(`${what}s must be an object`);
  const strange = Object.keys(value).find((name) => !known.has(name));
  if (strange !== undefined) throw new TypeError(`unknown ${what} "${strange}"; known are ${[...known].join(", ")}`);
}
