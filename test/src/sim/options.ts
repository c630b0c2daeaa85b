// What one run is made of. Everything that is not given is drawn from the seed.
import type { Prng } from "@voda/stdx";
import { trimDelayMs } from "../../../dataplane/src/lane/constants.ts";
import { type FoldBounds, foldBoundsOf } from "../../../dataplane/src/lane/index.ts";

export interface Faults {
  readonly crashes: number;
  readonly pauses: number;
  /** Of a machine with its program. */
  readonly suspensions: number;
  /** Steps of a wall clock. */
  readonly clockSteps: number;
  readonly disconnects: number;
  readonly workerLosses: number;
  readonly storeRestarts: number;
  readonly powerLosses: number;
  /** Times in which the store takes nothing. */
  readonly fills: number;
  /** Probabilities per message. */
  readonly lost: number;
  readonly doubled: number;
  readonly slow: number;
  readonly staleReads: number;
  readonly busyRefusals: number;
}

export interface RunOptions {
  readonly seed: number;
  /** With the product's bounds, for many minutes. */
  readonly isLong?: boolean;
  /** Instead of what the seed would draw. */
  readonly faults?: Partial<Faults>;
  readonly plan?: Partial<Omit<FaultPlan, "seed" | "faults" | "isLong">>;
}

export interface FaultPlan {
  readonly seed: number;
  readonly faults: Faults;
  readonly isLong: boolean;
  readonly nodes: number;
  readonly writes: number;
  readonly unkeyed: number;
  readonly throwing: number;
  readonly reads: number;
  readonly sleeps: number;
  readonly ends: number;
  /** Calls whose handlers ask the second session. */
  readonly asks: number;
  /** Calls whose handlers do something outside of the session, in two steps. */
  readonly runs: number;
  /** Calls whose handlers send to the second session; it refuses some for good, always or now and then. */
  readonly sends: number;
  /** Calls whose handlers send what ends its node, whenever it runs. */
  readonly killers: number;
  /** Calls whose handlers send what its node is closed under, again and again, and that takes then. */
  readonly closings: number;
  /** Calls whose handlers have something done later, by the second session; some take it back. */
  readonly timers: number;
  /** Operations and faults begin within this time; then everything must come to rest. */
  readonly busyMs: number;
  /** A broken connection is made again before. */
  readonly disconnectMsMax: number;
  readonly folds: FoldBounds;
  /** What the store accepted within this time may go with its power. */
  readonly storeSyncMs: number;
  /** The client numbers its calls, instead of giving each a key. */
  readonly numbered: boolean;
  /** How long an answer under a key is kept, at least. */
  readonly keepMs: number;
}

type Chance = Pick<Prng, "below" | "chance">;

/** Of all schedules: they take longer than others. */
const longShare = 0.03;

export function planRun(options: RunOptions, random: Chance): FaultPlan {
  const some = (probability: number, max: number): number =>
    random.chance(probability) ? 1 + random.below(max) : 0;
  const rate = (probability: number, max: number): number =>
    random.chance(probability) ? (1 + random.below(10)) * (max / 10) : 0;
  const powerLosses = some(0.2, 2);
  const fills = some(0.15, 3);
  const isLong = options.isLong ?? random.chance(longShare);
  const faults: Faults = {
    crashes: some(0.4, 3),
    pauses: some(0.5, 4),
    suspensions: some(0.3, 3),
    clockSteps: some(0.3, 3),
    disconnects: some(0.3, 3),
    workerLosses: some(0.25, 3),
    storeRestarts: some(0.25, 2),
    powerLosses,
    fills,
    lost: rate(0.5, 0.15),
    // a copy that comes when there is room again: TCP makes none
    doubled: fills > 0 ? 0 : rate(0.4, 0.2),
    slow: rate(0.5, 0.2),
    staleReads: rate(0.3, 0.5),
    busyRefusals: rate(0.3, 0.3),
    ...options.faults,
  };
  return {
    seed: options.seed,
    faults,
    nodes: 2 + random.below(2),
    writes: 2 + random.below(8),
    unkeyed: some(0.5, 3),
    throwing: some(0.3, 2),
    reads: some(0.8, 8),
    sleeps: some(0.5, 4),
    ends: some(0.12, 2),
    // not drawn: schedules without asks stay as they were
    asks: options.seed % 4 === 0 ? 1 + ((options.seed / 4) % 5) : 0,
    // the same; a loss of power takes of the sender only then
    sends: options.seed % 4 === 1 ? 2 + ((options.seed >> 2) % 7) : 0,
    // what a power loss takes of its marks nobody can know
    killers: faults.powerLosses === 0 && options.seed % 16 === 1 ? 1 : 0,
    closings: faults.powerLosses === 0 && options.seed % 16 === 9 ? 1 : 0,
    timers: faults.powerLosses === 0 && options.seed % 4 === 2 ? 1 + ((options.seed >> 2) % 5) : 0,
    // the same: what a power loss takes of a journal nobody can know
    runs: faults.powerLosses === 0 && options.seed % 4 === 3 ? 1 + ((options.seed >> 2) % 5) : 0,
    isLong,
    ...(isLong ? productBounds(faults, random) : smallBounds(faults, random)),
    numbered: random.chance(0.4),
    keepMs: 600_000,
    disconnectMsMax: 5000,
    ...options.plan,
  };
}

type Bounds = Pick<FaultPlan, "folds" | "storeSyncMs" | "busyMs">;

/** So short that a schedule of seconds meets every bound. */
function smallBounds(faults: Faults, random: Chance): Bounds {
  const storeSyncMs = 1500;
  return {
    busyMs: 1000 + random.below(9000),
    storeSyncMs,
    folds: {
      foldRecordsMax: 2 + random.below(6),
      foldBytesMax: 1 << 20,
      inlineBytesMax: random.chance(0.5) ? 24 : 1 << 16,
      trimDelayMs: faults.powerLosses > 0 ? storeSyncMs * 2 : 0,
    },
  };
}

/** The product's, and a schedule that is long enough for a fold to grow old. */
function productBounds(faults: Faults, random: Chance): Bounds {
  return {
    busyMs: 2 * trimDelayMs + random.below(trimDelayMs),
    storeSyncMs: 120_000,
    folds: foldBoundsOf(faults.powerLosses === 0),
  };
}
