// What a benchmark of `voda bench` is.

export interface BenchFlag {
  /** Without dashes: `edits-per-call`. */
  readonly name: string;
  readonly kind: "whole" | "text";
  readonly description: string;
  /** Left out: the flag must be given. */
  readonly default?: number | string;
}

export type BenchValues = Readonly<Record<string, number | string>>;

export interface BenchRun {
  /** Every flag of the bench by its name. */
  readonly values: BenchValues;
  /** URL of a running mesh; undefined: the bench starts its own. */
  readonly url: string | undefined;
  /** Tells people how far it is; never part of the result. */
  readonly say: (line: string) => void;
}

export interface BenchResult {
  readonly figures: Readonly<Record<string, number | string | boolean>>;
  /** Why the run is not what it must be; the command then fails after it has printed the figures. */
  readonly failure?: string;
}

export interface Bench {
  readonly name: string;
  readonly summary: string;
  readonly flags: readonly BenchFlag[];
  readonly run: (run: BenchRun) => Promise<BenchResult>;
}

/** @throws when the bench has no such flag of whole numbers */
export function whole(values: BenchValues, name: string): number {
  const value = values[name];
  if (typeof value !== "number") throw new Error(`the bench has no flag --${name} for a whole number`);
  return value;
}

/** @throws when the bench has no such flag */
export function text(values: BenchValues, name: string): string {
  const value = values[name];
  if (value === undefined) throw new Error(`the bench has no flag --${name}`);
  return String(value);
}
