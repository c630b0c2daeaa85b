// Options of an agent and what follows from them.
import {
  cpuMilliMax,
  diskMibMax,
  type Isolation,
  isolations,
  memoryMibMax,
  type PlacementRules,
  rulesProblem,
  wholeGpusMax,
} from "@voda/proto/placement";
import { type Duration, type DurationRange, durationMs } from "./duration.ts";
import { didYouMean } from "./near.ts";
import { shown } from "./shown.ts";

/**
 * What each session that is awake takes from its node, and where it may go; the mesh packs sessions by it.
 */
export interface Place {
  /** Thousandths of a core, 0 to 1,024,000. Default 0. */
  readonly cpuMilli?: number;
  /** Memory in MiB, 0 to 16,777,216. Default 0: its sessions spread over nodes, each counted as 64 KiB. */
  readonly memoryMiB?: number;
  /** A fraction of one GPU (0.001 to 0.999, in thousandths) or 1 to 64 whole ones. Default 0: none. */
  readonly gpu?: number;
  /**
   * Memory of each GPU in MiB, 0 to 16,777,216; only with `gpu`. Default 0: as large as the fraction of the
   * GPU.
   */
  readonly gpuMemoryMiB?: number;
  /** Disk in MiB, 0 to 16,777,216: counted, not enforced. Default 0. */
  readonly diskMiB?: number;
  /**
   * GPU models that will do, at most 16; only with `gpu`. A model is written as the node reports it (with
   * NVIDIA the name that `nvidia-smi -L` prints: `"NVIDIA H200"`) and compared exactly. Default: any.
   */
  readonly gpuModels?: readonly string[];
  /**
   * Who may share a GPU with a session that has a fraction of it: `"process"` sessions of its own namespace,
   * `"shared"` those of other namespaces whose agents say `"shared"` too, `"dedicated"` nobody. Whole GPUs
   * are never shared. Default `"process"`.
   */
  readonly isolation?: Isolation;
  /**
   * What its sessions are called, for the rules below, inside its namespace. At most 16, each of 1 to 63
   * letters, digits, `-`, `_` and `.`, first and last a letter or digit. Default none.
   */
  readonly labels?: readonly string[];
  /**
   * Labels that sessions on the node must have already, at most 16; the first session with a label of its own
   * may start. Default none.
   */
  readonly affinity?: readonly string[];
  /**
   * Labels that no session on the node may have, at most 16; it holds for those that come later too. Default
   * none.
   */
  readonly antiAffinity?: readonly string[];
  /**
   * One of `labels`: a session goes to the zone that has the fewest sessions with it and still has room.
   * Default none.
   */
  readonly spread?: string;
}

/** Options of an agent. */
export interface AgentOptions {
  /** A session without work for this long goes to sleep: 10 ms to 7 days. Default 5 minutes. */
  readonly idle?: Duration;
  /**
   * A turn that runs longer is cancelled and undone with `deadline_exceeded`: 1 ms to 1 hour. Default 1
   * minute.
   */
  readonly maxTurn?: Duration;
  /**
   * Calls that may wait for one session, 1 to 65,536; one more is refused with `resource_exhausted`. Default
   * 256.
   */
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
  readonly diskMib: number;
}

/** The options with their defaults, as plain data. */
export interface Limits {
  readonly resources: Resources;
  readonly placement: PlacementRules;
  readonly idleMs: number;
  readonly turnMsMax: number;
  readonly queueMax: number;
  readonly dedupeMs: number;
}

const idleRange: DurationRange = { minMs: 10, maxMs: 7 * 86_400_000 };
/** Of the longest turn. */
export const turnRange: DurationRange = { minMs: 1, maxMs: 3_600_000 };
const dedupeRange: DurationRange = { minMs: 1_000, maxMs: 86_400_000 };
const queueMaxMax = 65_536;

const optionNames: ReadonlySet<string> = new Set(["idle", "maxTurn", "maxQueue", "dedupe", "place"]);
const placeNames: ReadonlySet<string> = new Set([
  "cpuMilli",
  "memoryMiB",
  "gpu",
  "gpuMemoryMiB",
  "diskMiB",
  "gpuModels",
  "isolation",
  "labels",
  "affinity",
  "antiAffinity",
  "spread",
]);

/** @throws TypeError for an unknown or malformed option, RangeError for one out of range */
export function limitsOf(agent: string, options: AgentOptions): Limits {
  const what = (option: string): string => `agent ${agent}: ${option}`;
  refuseUnknown(`agent ${agent}: option`, options, optionNames);
  const { place = {}, idle = "5m", maxTurn = "1m", maxQueue = 256, dedupe = "10m" } = options;
  refuseUnknown(what("place option"), place, placeNames);
  return {
    resources: resourcesOf(what, place),
    placement: placementOf(what, place),
    idleMs: durationMs(what("idle"), idle, idleRange),
    turnMsMax: durationMs(what("maxTurn"), maxTurn, turnRange),
    queueMax: whole(what("maxQueue"), maxQueue, 1, queueMaxMax),
    dedupeMs: durationMs(what("dedupe"), dedupe, dedupeRange),
  };
}

function resourcesOf(what: (option: string) => string, place: Place): Resources {
  const { gpu = 0, gpuMemoryMiB = 0, cpuMilli = 0, memoryMiB = 0, diskMiB = 0 } = place;
  const gpuMilli = gpuMilliOf(what("place.gpu"), gpu);
  const gpuMemoryMib = whole(what("place.gpuMemoryMiB"), gpuMemoryMiB, 0, memoryMibMax);
  if (gpuMemoryMib > 0 && gpuMilli === 0)
    throw new RangeError(`${what("place.gpuMemoryMiB")} needs place.gpu`);
  return {
    cpuMilli: whole(what("place.cpuMilli"), cpuMilli, 0, cpuMilliMax),
    memoryMib: whole(what("place.memoryMiB"), memoryMiB, 0, memoryMibMax),
    gpuMilli,
    gpuMemoryMib,
    diskMib: whole(what("place.diskMiB"), diskMiB, 0, diskMibMax),
  };
}

function placementOf(what: (option: string) => string, place: Place): PlacementRules {
  const { isolation = "process", spread = "" } = place;
  const { gpu = 0, gpuModels = [], labels = [], affinity = [], antiAffinity = [] } = place;
  if (!isolations.includes(isolation))
    throw new TypeError(
      `${what("place.isolation")} of ${JSON.stringify(isolation)} is none of ${isolations.join(", ")}`,
    );
  if (typeof spread !== "string")
    throw new TypeError(`${what("place.spread")} of ${JSON.stringify(spread)} is not a label`);
  const rules = {
    gpuModels: texts(what("place.gpuModels"), gpuModels),
    isolation,
    labels: texts(what("place.labels"), labels),
    affinity: texts(what("place.affinity"), affinity),
    antiAffinity: texts(what("place.antiAffinity"), antiAffinity),
    spread,
  };
  const problem = rulesProblem(rules);
  if (problem !== undefined) throw new TypeError(what(`place.${problem}`));
  if (rules.gpuModels.length > 0 && gpu === 0)
    throw new RangeError(`${what("place.gpuModels")} needs place.gpu`);
  return Object.freeze(rules);
}

function texts(what: string, value: readonly string[]): readonly string[] {
  if (!Array.isArray(value) || !value.every((one) => typeof one === "string"))
    throw new TypeError(`${what} of ${JSON.stringify(value)} is not a list of texts`);
  return Object.freeze([...value]);
}

function gpuMilliOf(what: string, gpu: number): number {
  const milli = Math.round(gpu * 1000);
  const isWhole = Number.isInteger(gpu) && gpu >= 0 && gpu <= wholeGpusMax;
  const isFraction = gpu > 0 && gpu < 1 && Math.abs(gpu * 1000 - milli) < 1e-6;
  if (!isWhole && !isFraction)
    throw new RangeError(
      `${what} of ${shown(gpu)} is neither a fraction of one GPU in thousandths (0.25) ` +
        `nor 0 to ${wholeGpusMax} whole GPUs`,
    );
  return milli;
}

/** @throws RangeError when it is no whole number in the range */
export function whole(what: string, value: number, min: number, max: number): number {
  if (!Number.isInteger(value) || value < min || value > max)
    throw new RangeError(`${what} of ${shown(value)} is not a whole number of ${min} to ${max}`);
  return value;
}

/** @throws TypeError when it is not an object or has a name that is not known */
export function refuseUnknown(what: string, value: object, known: ReadonlySet<string>): void {
  const problem = optionsProblem(what, value, known);
  if (problem !== undefined) throw new TypeError(problem);
}

/** What is wrong with options of which these are known, or `undefined`. */
export function optionsProblem(what: string, value: unknown, known: ReadonlySet<string>): string | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return `${what}s must be an object`;
  if (value instanceof AbortSignal) return `${what}s must be an object that has the AbortSignal: { signal }`;
  const strange = Object.keys(value).find((name) => !known.has(name));
  return strange === undefined
    ? undefined
    : `${what} "${strange}" is unknown${didYouMean(strange, known)}; known are ${[...known].join(", ")}`;
}

/** What no value is, as the compiler shows it. Were it a text, all options would be `never`. */
export interface NoSuchOption {
  readonly "no such option": never;
}
