// What a benchmark is, for every room that has some: `voda bench` runs them, those of a mesh in its own
// process and those of other rooms as programs (`runBenches`).

/** A flag that the command shows in its help and reads for the bench. */
export interface BenchFlag {
  /** Without dashes: `edits-per-call`. */
  readonly name: string;
  /** A switch is given or not: 1 or 0. */
  readonly type: "whole" | "text" | "switch";
  readonly description: string;
  /** Left out: the flag must be given. */
  readonly default?: number | string;
  /** Of a whole number; default 0. */
  readonly least?: number;
  /** Of a whole number; default what JavaScript counts exactly. */
  readonly most?: number;
}

/** Every flag of the bench by its name; `whole` and `text` read it. */
export type BenchValues = Readonly<Record<string, number | string>>;

/** What a run is given. */
export interface BenchRun {
  readonly values: BenchValues;
  /** Tells people how far it is; never part of the result. */
  readonly say: (line: string) => void;
}

/** What a run hands back, whether or not it measured what it should. */
export interface BenchResult {
  /** For programs: `--json`. */
  readonly figures: Readonly<Record<string, unknown>>;
  /** For people: printed without `--json`. Left out: the figures themselves are. */
  readonly table?: string;
  /** Why the run is not what it must be; the command then fails after it has printed the figures. */
  readonly failure?: string;
}

/** @typeParam Run what this room's benches are given beyond the flags, such as the URL of a mesh */
export interface Bench<Run extends BenchRun = BenchRun> {
  readonly name: string;
  /** One line of `voda bench --help`. */
  readonly summary: string;
  readonly flags: readonly BenchFlag[];
  readonly run: (run: Run) => BenchResult | Promise<BenchResult>;
}

/** The user's mistake: shown without a stack, and with the exit code of usage. */
export class BenchError extends Error {
  override readonly name = "BenchError";
}

/** @throws Error when the bench declares no such flag of whole numbers: our bug */
export function whole(values: BenchValues, name: string): number {
  const value = values[name];
  if (typeof value !== "number") throw new Error(`the bench has no flag --${name} for a whole number`);
  return value;
}

/** @throws Error when the bench declares no such flag: our bug */
export function text(values: BenchValues, name: string): string {
  const value = values[name];
  if (value === undefined) throw new Error(`the bench has no flag --${name}`);
  return String(value);
}

/**
 * A number from `least` to `most`, both included, from a flag that is text because it may have decimals.
 *
 * @throws BenchError
 */
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

/** `42,43,44`. @throws BenchError */
export function seedsOf(values: BenchValues): readonly number[] {
  const seeds = listOf(values, "seeds").map((one) => {
    if (/^\d{1,9}$/.test(one)) return Number(one);
    throw new BenchError(
      `--seeds: "${one}" is not a seed; give whole numbers of at most 9 digits with commas between`,
    );
  });
  return distinct(seeds, "seeds");
}

/** Parts of a flag with commas between. @throws BenchError when there are none */
export function listOf(values: BenchValues, name: string): readonly string[] {
  const written = text(values, name);
  if (written.trim() === "") throw new BenchError(`--${name} is empty; give at least one`);
  return written.split(",").map((one) => one.trim());
}

/** The list itself: a run that is there twice would count twice. @throws BenchError */
export function distinct<T extends string | number>(list: readonly T[], name: string): readonly T[] {
  const twice = list.find((one, i) => list.indexOf(one) !== i);
  if (twice !== undefined) throw new BenchError(`--${name}: ${twice} is there twice`);
  return list;
}

const reportEveryMs = 2_000;

/**
 * Tells how far a run is, now and then: the words are only made when it is time, and told when they are new.
 */
export function progressReporter(say: (line: string) => void): (words: () => string) => void {
  let toldMs = performance.now();
  let told = "";
  return (words) => {
    const nowMs = performance.now();
    if (nowMs - toldMs < reportEveryMs) return;
    toldMs = nowMs;
    const line = words();
    if (line !== told) say(line);
    told = line;
  };
}
