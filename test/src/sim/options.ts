// What one run is made of. Everything that is not given is drawn from the seed.

export interface Faults {
  readonly crashes: number;
  readonly pauses: number;
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
  /** Instead of what the seed would draw. */
  readonly faults?: Partial<Faults>;
  readonly plan?: Partial<Omit<FaultPlan, "seed" | "faults">>;
}

export interface FaultPlan {
  readonly seed: number;
  readonly faults: Faults;
  readonly nodes: number;
  readonly writes: number;
  readonly unkeyed: number;
  readonly throwing: number;
  readonly reads: number;
  readonly sleeps: number;
  readonly ends: number;
  /** Operations and faults begin within this time; then everything must come to rest. */
  readonly busyMs: number;
  readonly foldRecordsMax: number;
  readonly inlineBytesMax: number;
  readonly trimDelayMs: number;
  /** The client numbers its calls, instead of giving each a key. */
  readonly numbered: boolean;
  /** How long an answer under a key is kept, at least. */
  readonly keepMs: number;
}

export function planRun(
  options: RunOptions,
  random: { below(bound: number): number; chance(p: number): boolean },
): FaultPlan {
  const some = (probability: number, max: number): number =>
    random.chance(probability) ? 1 + random.below(max) : 0;
  const rate = (probability: number, max: number): number =>
    random.chance(probability) ? (1 + random.below(10)) * (max / 10) : 0;
  const powerLosses = some(0.2, 2);
  const fills = some(0.15, 3);
  const faults: Faults = {
    crashes: some(0.4, 3),
    pauses: some(0.5, 4),
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
    busyMs: 1000 + random.below(9000),
    foldRecordsMax: 2 + random.below(6),
    inlineBytesMax: random.chance(0.5) ? 24 : 1 << 16,
    trimDelayMs: faults.powerLosses > 0 ? storeSyncMs * 2 : 0,
    numbered: random.chance(0.4),
    keepMs: 600_000,
    ...options.plan,
  };
}

/** What the store accepted within this time may go with its power. */
export const storeSyncMs = 1500;
