// What a benchmark of this room is: the same kind as those of `voda bench`, whose command runs them.

export interface BenchFlag {
  /** Without dashes: `seeds`. */
  readonly name: string;
  /** A switch is given or not: 1 or 0. */
  readonly type: "whole" | "text" | "switch";
  readonly description: string;
  /** Left out: the flag must be given. */
  readonly default?: number | string;
}

export type BenchValues = Readonly<Record<string, number | string>>;

export interface BenchRun {
  /** Every flag of the bench by its name. */
  readonly values: BenchValues;
  /** Tells people how far it is; never part of the result. */
  readonly say: (line: string) => void;
}

export interface BenchResult {
  /** For programs: `--json`. */
  readonly figures: Readonly<Record<string, unknown>>;
  /** For people: what is printed without `--json`. */
  readonly table: string;
  /** Why the run is not what it must be; the command then fails after it has printed the figures. */
  readonly failure?: string;
}

export interface Bench {
  readonly name: string;
  readonly summary: string;
  readonly flags: readonly BenchFlag[];
  readonly run: (run: BenchRun) => Promise<BenchResult>;
}

/** The user's mistake: shown without a stack. */
export class BenchError extends Error {
  override readonly name = "BenchError";
}

export function whole(values: BenchValues, name: string): number {
  const value = values[name];
  if (typeof value !== "number") throw new BenchError(`the bench has no flag --${name} for a whole number`);
  return value;
}

export function text(values: BenchValues, name: string): string {
  const value = values[name];
  if (value === undefined) throw new BenchError(`the bench has no flag --${name}`);
  return String(value);
}

/** A number within bounds from a flag that is text because it may have decimals. */
export function decimal(
  values: BenchValues,
  name: string,
  { least, most }: { least: number; most: number },
): number {
  const written = text(values, name);
  const value = written.trim() === "" ? Number.NaN : Number(written);
  if (!(value >= least && value <= most)) {
    throw new BenchError(`--${name} "${written}" is not a number from ${least} to ${most}`);
  }
  return value;
}

/** `42,43,44` */
export function seedsOf(values: BenchValues): readonly number[] {
  const seeds = listOf(values, "seeds").map((one) => {
    if (/^\d{1,9}$/.test(one)) return Number(one);
    throw new BenchError(
      `--seeds: "${one}" is not a seed; give whole numbers of at most 9 digits with commas between`,
    );
  });
  return distinct(seeds, "seeds");
}

/** Parts of a flag with commas between. */
export function listOf(values: BenchValues, name: string): readonly string[] {
  const written = text(values, name);
  if (written.trim() === "") throw new BenchError(`--${name} is empty; give at least one`);
  return written.split(",").map((one) => one.trim());
}

/** A run that is there twice would count twice. */
export function distinct<T extends string | number>(list: readonly T[], name: string): readonly T[] {
  const twice = list.find((one, i) => list.indexOf(one) !== i);
  if (twice !== undefined) throw new BenchError(`--${name}: ${twice} is there twice`);
  return list;
}

const tellEveryMs = 2_000;

/**
 * Tells how far a run is, now and then: the words are only made when it is time, and told when they are new.
 */
export function teller(say: (line: string) => void): (words: () => string) => void {
  let toldMs = performance.now();
  let told = "";
  return (words) => {
    const nowMs = performance.now();
    if (nowMs - toldMs < tellEveryMs) return;
    toldMs = nowMs;
    const line = words();
    if (line !== told) say(line);
    told = line;
  };
}
